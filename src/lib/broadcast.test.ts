import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Broadcast } from './broadcast.ts';

const LIMITS = { capacity: 3, keepMs: 60_000 };

function create(limits = LIMITS) {
  const overflows: number[] = [];
  const broadcast = new Broadcast<number>(limits, () => void overflows.push(broadcast.lost));
  return {
    broadcast,
    overflows,
    send: (...items: number[]) => items.forEach((item) => broadcast.send(item)),
  };
}

/** A reader that takes items when it is told to. */
function reader(broadcast: Broadcast<number>, signal = new AbortController().signal) {
  const items = broadcast.subscribe(signal);
  const read = async (count: number): Promise<number[]> => {
    const got: number[] = [];
    while (got.length < count) {
      const next = await items.next();
      if (next.done) break;
      got.push(next.value);
    }
    return got;
  };
  return { items, read };
}

test('all who are subscribed get all items in order, each at his own pace', async () => {
  const { broadcast, send } = create();
  const [a, b] = [reader(broadcast), reader(broadcast)];
  const first = [a.read(1), b.read(1)];
  send(1, 2, 3);
  expect(await Promise.all(first)).toEqual([[1], [1]]);
  expect(await a.read(2)).toEqual([2, 3]);
  send(4);
  expect(await a.read(1)).toEqual([4]);
  expect(await b.read(3)).toEqual([2, 3, 4]);
  expect(broadcast.lost).toBe(0);
});

test('a slow one loses his own oldest items, which is told once until he has caught up', async () => {
  const { broadcast, send, overflows } = create();
  const [slow, fast] = [reader(broadcast), reader(broadcast)];
  const first = [slow.read(1), fast.read(1)];
  send(1);
  await Promise.all(first);
  for (const item of [2, 3, 4, 5, 6]) {
    send(item);
    expect(await fast.read(1)).toEqual([item]);
  }
  expect({ overflows, lost: broadcast.lost }).toEqual({ overflows: [1], lost: 2 });
  await fast.items.return(undefined);
  expect(await slow.read(1)).toEqual([4]);
  send(7, 8);
  expect({ overflows, lost: broadcast.lost }).toEqual({ overflows: [1], lost: 3 });
  expect(await slow.read(3)).toEqual([6, 7, 8]);
  const caughtUp = slow.read(1);
  send(9, 10, 11, 12, 13);
  expect(await caughtUp).toEqual([11]);
  expect(overflows).toEqual([1, 4]);
});

test('what is sent while nobody listens waits for the next, and only for him', async () => {
  const { broadcast, send } = create();
  send(1, 2, 3, 4);
  const a = reader(broadcast);
  expect(await a.read(3)).toEqual([2, 3, 4]);
  const b = reader(broadcast);
  const next = b.read(1);
  send(5);
  expect(await next).toEqual([5]);
  expect(broadcast.lost).toBe(0);
});

test('what waited too long for a listener is dropped', async () => {
  const { broadcast, send } = create({ capacity: 3, keepMs: -1 });
  send(1);
  const a = reader(broadcast);
  const next = a.read(1);
  send(2);
  expect(await next).toEqual([2]);
});

test('what waited too long is let go of, though nobody ever listens', async () => {
  const broadcast = new Broadcast<object>({ capacity: 3, keepMs: 20 }, () => {});
  const sendLarge = () => {
    const item = { text: 'large' };
    broadcast.send(item);
    return new WeakRef(item);
  };
  const old = sendLarge();
  await sleep(30);
  const young = sendLarge();
  await sleep(0);
  collectGarbage();
  expect([old.deref(), young.deref()]).toEqual([undefined, { text: 'large' }]);
});

test('what the last one had not taken when he left is for the next', async () => {
  const { broadcast, send } = create();
  const left = new AbortController();
  const a = reader(broadcast, left.signal);
  const first = a.read(1);
  send(1, 2, 3);
  await first;
  // As a server does that cannot deliver what it took.
  await a.items.return(undefined);
  expect(await reader(broadcast).read(3)).toEqual([1, 2, 3]);
});

test('one who is cancelled while he waits ends with the reason', async () => {
  const { broadcast, send } = create();
  const left = new AbortController();
  const waiting = reader(broadcast, left.signal).read(1);
  left.abort(new Error('went away'));
  await expect(waiting).rejects.toThrow('went away');
  send(1);
  expect(await reader(broadcast).read(1)).toEqual([1]);
});

test('closing ends all, after what they have not read yet', async () => {
  const { broadcast, send } = create();
  const [a, b] = [reader(broadcast), reader(broadcast)];
  const waiting = [a.read(5), b.read(1)];
  send(1, 2);
  broadcast.close();
  expect(await Promise.all(waiting)).toEqual([[1, 2], [1]]);
  expect(await b.read(5)).toEqual([2]);
  expect(await reader(broadcast).read(1)).toEqual([]);
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

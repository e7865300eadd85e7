/** What went through one network interface since it was made. */
export interface InterfaceCounters {
  name: string;
  rx: TrafficCounters;
  tx: TrafficCounters;
}

export interface TrafficCounters {
  bytes: number;
  packets: number;
  errors: number;
  dropped: number;
}

/** The text of /proc/net/dev (proc_pid_net(5)), without the loopback interface. */
export function parseNetDev(text: string): InterfaceCounters[] {
  return text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim();
    if (name === '' || name === 'lo') return [];
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const counters = (first: number): TrafficCounters => {
      const [bytes = 0, packets = 0, errors = 0, dropped = 0] = numbers.slice(first, first + 4);
      return { bytes, packets, errors, dropped };
    };
    return [{ name, rx: counters(0), tx: counters(8) }];
  });
}

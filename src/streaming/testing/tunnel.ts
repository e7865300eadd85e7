import { Duplex } from 'node:stream';

/**
 * The client's end of a WebSocket whose binary messages are one byte stream. By hand, because `ws` does
 * not let a client ask for a sub-protocol with a slash. Masks with zeros, which changes nothing.
 */
export function clientTunnel(socket: Duplex, head: Buffer): Duplex {
  let pending = head;
  const tunnel = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(Buffer.concat([frameHeader(chunk.length), chunk]), done);
    },
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const drain = (): void => {
    for (let frame = parseFrame(pending); frame !== null; frame = parseFrame(pending)) {
      pending = frame.rest;
      if (frame.opcode === 2 && frame.payload.length > 0) tunnel.push(frame.payload);
      if (frame.opcode === 8) tunnel.push(null);
    }
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    drain();
  });
  socket.on('error', () => {});
  socket.once('close', () => tunnel.destroy());
  setImmediate(drain);
  return tunnel;
}

function frameHeader(length: number): Buffer {
  const header = Buffer.alloc(14);
  header[0] = 0x82; // final, binary
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header; // with a mask of zeros
}

function parseFrame(bytes: Buffer): { opcode: number; payload: Buffer; rest: Buffer } | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return null;
  const length =
    short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return null;
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    payload: bytes.subarray(start, start + length),
    rest: bytes.subarray(start + length),
  };
}

import { homedir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../config/schema.ts';
import { saveStream, streamFile } from '../host/files.ts';
import { Fault } from '../lib/fault.ts';
import { askSecret } from './ask-secret.ts';
import type { ImageTools } from './image-commands.ts';

type Streams = Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr'>;

/** Where an image command reads and writes: `-` is the process' own input and output. */
export function imageStreams({ stdin, stdout, stderr }: Streams): Omit<ImageTools, 'images'> {
  return {
    out: stdout,
    progress: stderr,
    secrets: { input: stdin, ask: (question) => askSecret(question, { input: stdin, output: stderr }) },
    open: (path) => (path === '-' ? stdin : streamFile(path)),
    save: async (path, data) => {
      if (path !== '-') return await saveStream(path, data);
      if (stdout.isTTY) throw new Fault('invalid_argument', 'an archive is not for a terminal');
      await pipeline(Readable.from(data), stdout, { end: false });
    },
  };
}

/** Whoever is logged in by `docker login` is so here too, unless the settings name another file. */
export function withDockerLogin(config: Config, env: NodeJS.ProcessEnv): Config {
  const { images } = config;
  if (images.authFile !== '') return config;
  const directory = env['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
  return { ...config, images: { ...images, authFile: join(directory, 'config.json') } };
}

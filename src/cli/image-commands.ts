import type { Image } from '../image/image.ts';
import type { ImageService } from '../registry/service.ts';
import type { Command } from './command.ts';
import { formatBytes } from './format-bytes.ts';
import type { ImageWish } from './image-command-line.ts';
import type { Secrets } from './login.ts';
import { authFrom } from './login.ts';
import type { ProgressStream } from './show-progress.ts';
import { showProgress } from './show-progress.ts';
import { renderTable } from './table.ts';

/** The commands that work on containerd's images without the daemon. */
export type ImageCommand = Extract<Command, { kind: ImageWish['kind'] }>;

/** What they need. Results go to `out`, what happens meanwhile to `progress`. */
export interface ImageTools {
  images: ImageService;
  out: Pick<NodeJS.WritableStream, 'write'>;
  progress: ProgressStream;
  secrets: Secrets;
  /** Reads a file as its bytes are taken. */
  open: (path: string) => AsyncIterable<Uint8Array>;
  /** Writes a file as its bytes come. */
  save: (path: string, data: AsyncIterable<Uint8Array>) => Promise<void>;
}

export async function runImageCommand(command: ImageCommand, tools: ImageTools): Promise<void> {
  const { images, out } = tools;
  switch (command.kind) {
    case 'pull':
      out.write(resultLine(await pull(command, tools)));
      return;
    case 'import':
      for (const image of await images.importArchive(tools.open(command.path))) {
        out.write(resultLine(image));
      }
      return;
    case 'export':
      await images.store.load();
      await tools.save(command.path, images.exportArchive(command.references));
      return;
    case 'list':
      await images.store.load();
      out.write(imageTable(images.store.list()));
      return;
    default:
      command satisfies never;
  }
}

async function pull(
  { reference, platform, login, config }: ImageCommand & { kind: 'pull' },
  { images, progress, secrets }: ImageTools,
): Promise<Image> {
  const { snapshotter } = config.containerd;
  const auth = await authFrom(login, secrets);
  // Whoever disposes of the service ends the pull.
  const { signal } = new AbortController();
  const pulling = images.pull({ reference, auth, snapshotter, platform }, signal);
  using _shown = showProgress(() => images.running(), progress);
  return await pulling;
}

function resultLine({ id, repoTags, repoDigests }: Image): string {
  const names = repoTags.length > 0 ? repoTags : repoDigests;
  return `${[id, ...names].join(' ')}\n`;
}

/** One line for each name by tag, or for the image if it has none. */
export function imageTable(images: readonly Image[]): string {
  const rows = images.flatMap(({ id, repoTags, repoDigests, size, pinned }) => {
    const names = repoTags.length > 0 ? repoTags : [repoDigests[0] ?? '-'];
    return names.map((name) => [name, id.slice(7, 19), formatBytes(size), pinned ? 'pinned' : '']);
  });
  const sorted = rows.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return renderTable([['NAME', 'ID', 'SIZE', ''], ...sorted]);
}

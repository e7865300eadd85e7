import { isCode } from '../lib/fault.ts';

/** The result of a look-up, or null where containerd says that there is no such thing. */
export async function orNull<T>(lookup: Promise<T>): Promise<T | null> {
  try {
    return await lookup;
  } catch (error) {
    if (isCode(error, 'not_found')) return null;
    throw error;
  }
}

/** Deleting what is already gone is a success: every caller is a clean-up. True if it was there. */
export async function wasThere(deletion: Promise<unknown>): Promise<boolean> {
  return (await orNull(deletion.then(() => true))) ?? false;
}

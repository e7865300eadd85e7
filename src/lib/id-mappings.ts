import { isDeepStrictEqual } from 'node:util';

/** `length` ids from `containerId` on are those from `hostId` on to the machine. */
export interface IdMapping {
  containerId: number;
  hostId: number;
  length: number;
}

/** Of users and of groups. */
export interface IdMappings {
  uids: IdMapping;
  gids: IdMapping;
}

/** What an id of the container is to the machine, null when it is nothing. */
export function hostIdOf(id: number, { containerId, hostId, length }: IdMapping): number | null {
  const offset = id - containerId;
  return offset >= 0 && offset < length ? hostId + offset : null;
}

/** Null are those of the machine. */
export function isSameIds(one: IdMappings | null, other: IdMappings | null): boolean {
  return isDeepStrictEqual(one, other);
}

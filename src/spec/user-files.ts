/** An entry of an image's passwd(5). */
export interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** An entry of an image's group(5). */
export interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** Skips lines that are no entries, as the C library does: an image's file is nobody's to mend here. */
export function parsePasswd(text: string): PasswdEntry[] {
  return fieldsOf(text).flatMap(([name = '', , uid, gid, , home = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

/** Skips lines that are no entries. */
export function parseGroup(text: string): GroupEntry[] {
  return fieldsOf(text).flatMap(([name = '', , gid, members = '']) =>
    isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').map((m) => m.trim()) }] : [],
  );
}

/** Whether the word is a plain number and so may stand for an id. */
export function isId(word: string | undefined): word is string {
  return word !== undefined && /^\d+$/.test(word);
}

function fieldsOf(text: string): string[][] {
  return text.split('\n').map((line) => line.trim().split(':'));
}

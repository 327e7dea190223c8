/**
 * Why a file cannot be read or written, in words.
 * @param code That of the failed system call. One that is not known here is its own words.
 */
export function fileReason(code: string, access: 'read' | 'write'): string {
  return reasons[access][code] ?? reasons.both[code] ?? code
}

const reasons: Readonly<Record<'read' | 'write' | 'both', Readonly<Record<string, string>>>> = {
  read: {
    ENOENT: 'there is no such file',
    EACCES: 'this user may not read it',
  },
  write: {
    ENOENT: 'there is no such folder',
    EACCES: 'this user may not write there',
    EROFS: 'the disk can only be read',
    ENOSPC: 'the disk is full',
  },
  both: {
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is not a folder',
  },
}

import { createHash } from 'node:crypto';

/** What goes into a revision: the bytes of a file, or in their place why they could not be read. */
export interface RevisionPart {
  readonly path: string;
  readonly content: Uint8Array | { readonly unreadable: string };
}

/**
 * The revision of a policy directory: hex SHA-256 over paths and contents, sorted by path, each behind its length, so
 * that no two directories say the same thing.
 */
export function revisionOf(parts: readonly RevisionPart[]): string {
  const hash = createHash('sha256').update('portcullis policy 1\n');
  for (const { path, content } of parts.toSorted((a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)))) {
    const readable = content instanceof Uint8Array;
    const bytes = readable ? content : Buffer.from(content.unreadable);
    hash.update(`${readable ? 'file' : 'unreadable'} ${Buffer.byteLength(path)} ${bytes.length}\n`);
    hash.update(path).update(bytes);
  }
  return hash.digest('hex');
}

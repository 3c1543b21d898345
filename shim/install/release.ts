import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { draftOf } from '../host/atomic-file.ts';
import { LAYOUT } from '../host/layout.ts';
import { requireOwnFolder } from '../host/ownership.ts';
import { copyRelease, isSameRelease, setRights } from './copy-release.ts';

/** What was built for nodes, in its folder. */
export interface Release {
  readonly folder: string;
  readonly version: string;
}

/** The release that this program is a part of. Throws in a checkout, which is none. */
export function ownRelease(): Release {
  const folder = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
  const file = join(folder, 'VERSION');
  if (!existsSync(file)) {
    throw new Error('this is a checkout and not a release; run "npm run build", then "dist/node/portcullis install"');
  }
  return { folder, version: readFileSync(file, 'utf8').trim() };
}

/**
 * Puts a release at its place on the node, with owner and modes set. One that is there already and is the same stays, and
 * gets its rights again; one that is not the same, because another user could once change it, is replaced.
 */
export function putRelease({ folder, version }: Release, releases: string = LAYOUT.releases): string {
  const place = join(releases, version);
  mkdirSync(releases, { recursive: true, mode: 0o755 });
  requireOwnFolder(releases);
  const isThere = existsSync(place);
  if (isThere) {
    setRights(place);
    if (isSameRelease(folder, place)) return place;
  }
  const draft = draftOf(place);
  copyRelease(folder, draft);
  setRights(draft);
  if (isThere) renameSync(place, draftOf(place)); // the next installation removes it
  renameSync(draft, place);
  return place;
}

/** The folder of the release that the daemon runs, if there is one. */
export function currentRelease(): string | undefined {
  return existsSync(LAYOUT.current) ? readlinkSync(LAYOUT.current) : undefined;
}

/** Makes it the one that the daemon runs from its next start on, in one step. */
export function makeCurrent(place: string): void {
  const draft = draftOf(LAYOUT.current);
  symlinkSync(place, draft);
  renameSync(draft, LAYOUT.current);
}

export function removeCurrent(): void {
  rmSync(LAYOUT.current, { force: true });
}

/** Removes all but these: what is running, and what it can go back to. */
export function removeOthers(keep: readonly (string | undefined)[]): void {
  const names = new Set(keep.flatMap((place) => (place === undefined ? [] : [basename(place)])));
  for (const name of readdirSync(LAYOUT.releases)) {
    if (!names.has(name)) rmSync(join(LAYOUT.releases, name), { recursive: true, force: true });
  }
}

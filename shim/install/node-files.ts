import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { textAt } from '../host/atomic-file.ts';
import { readBounded } from '../host/bounded-file.ts';
import { LAYOUT } from '../host/layout.ts';
import { changeOf, type FileChange } from './file-change.ts';

/** What a person gives an installation; what is not given stays as it is on the node. */
export interface Given {
  /** A public key of the workers, or a folder of `*.pub` and `*.json` files. */
  readonly verdictKeys: string | undefined;
  /** `HOST:PORT` of Temporal. */
  readonly temporal: string | undefined;
  /** A file of `NAME=VALUE` lines for the daemon, as the Temporal CLI knows them. */
  readonly environmentFile: string | undefined;
  readonly bootstrapList: BootstrapListFile | undefined;
}

/** A bootstrap list as a file of the daemon's folder. */
export interface BootstrapListFile {
  /** Ends in `.list`. */
  readonly name: string;
  readonly text: string;
  /** Proposed from the node; otherwise it is a file of somebody, and replaces the one of its name. */
  readonly isLearnt: boolean;
  /** What keeps it from being written as it is. */
  readonly refusals: readonly string[];
}

/** Modes of files of ours. */
const READABLE = 0o644;
const SECRET = 0o600;

/** Far more than keys, environments and lists are. */
const MAX_BYTES = 1024 * 1024;

/** The daemon's own files: settings and environment are written once, and then belong to whoever runs the node. */
export async function nodeFiles(given: Given, release: string, containerd: string): Promise<readonly FileChange[]> {
  const changes = [
    changeOf(LAYOUT.settings, textAt(LAYOUT.settings) ?? settings(containerd), READABLE),
    await environment(given),
    ...(await verdictKeys(given.verdictKeys)),
    bootstrapList(given.bootstrapList),
    changeOf(LAYOUT.unit, readFileSync(join(release, 'systemd/portcullis-shim.service'), 'utf8'), READABLE),
    changeOf(LAYOUT.tmpfiles, readFileSync(join(release, 'systemd/portcullis.conf'), 'utf8'), READABLE),
  ];
  return changes.filter((change) => change !== undefined);
}

function settings(containerd: string): string {
  return [
    '# The settings of portcullis-shim.service; "portcullis shim --help" lists them.',
    `verdict-keys: ${LAYOUT.verdictKeys}`,
    `bootstrap: ${LAYOUT.bootstrap}`,
    `state: ${LAYOUT.state}`,
    `containerd: ${JSON.stringify(containerd)}`,
    'canary-every: 5m',
    '',
  ].join('\n');
}

/** The environment as it will be: where the daemon finds Temporal. It may hold an API key, so only root reads it. */
async function environment({ temporal, environmentFile }: Given): Promise<FileChange | undefined> {
  const before = textAt(LAYOUT.environment);
  if (temporal === undefined && environmentFile === undefined && before === undefined) return undefined;
  const text =
    environmentFile === undefined ? (before ?? '') : (await readBounded(environmentFile, MAX_BYTES)).toString('utf8');
  const change = changeOf(LAYOUT.environment, withAddress(text, temporal), SECRET);
  return change && { ...change, secret: true };
}

/** Lines of an environment with Temporal at this address; without one, as they are. */
export function withAddress(text: string, temporal: string | undefined): string {
  if (temporal === undefined) return text;
  const others = text.split('\n').filter((line) => line !== '' && !/^TEMPORAL_ADDRESS=/.test(line));
  return `${[...others, `TEMPORAL_ADDRESS=${temporal}`].join('\n')}\n`;
}

/** What was learnt is edited by hand afterwards, and every line of it is somebody's trust. */
function bootstrapList(list: BootstrapListFile | undefined): FileChange | undefined {
  const path = join(LAYOUT.bootstrap, list?.name ?? '');
  const change = list === undefined ? undefined : changeOf(path, list.text, READABLE);
  if (change?.before === undefined || change.before === change.after || list?.isLearnt === false) return change;
  throw new Error(
    `${path} is there and says something else: edit it, or move it away; without --bootstrap it stays as it is`,
  );
}

async function verdictKeys(path: string | undefined): Promise<readonly (FileChange | undefined)[]> {
  if (path === undefined) return [];
  const isFolder = statSync(path).isDirectory();
  const names = isFolder ? readdirSync(path).filter((name) => /\.(pub|json)$/.test(name)) : [basename(path)];
  return await Promise.all(
    names.map(async (name) => {
      const text = (await readBounded(isFolder ? join(path, name) : path, MAX_BYTES)).toString('utf8');
      return changeOf(join(LAYOUT.verdictKeys, /\.(pub|json)$/.test(name) ? name : `${name}.pub`), text, READABLE);
    }),
  );
}

import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { readVerdictKeyFiles, type VerdictKeyFiles } from '../verdict-keys/key-files.ts';
import { endOfWindow, positionIn } from '../verdict-keys/key-window.ts';
import { type KeyUse, readKeyUse } from './key-use.ts';
import { DEFAULT_GRPC_SOCKET, parseListenAddress, wrongUsage } from './options.ts';

const HELP = `Lists the verdict keys that a node believes: until when, and which of them signed its last verdicts.

Usage: portcullis keys list [OPTIONS] PATH

PATH is what the shim has as --verdict-keys: a public key, or a directory of *.pub files, each with its window in a
NAME.json beside it, such as {"notBefore": "2030-01-31T12:00:00Z", "notAfter": "2031-01-31T12:00:00Z"}.

  --grpc-socket PATH   the socket of the running shim, which counts verdicts by key (default ${DEFAULT_GRPC_SOCKET})
  --metrics HOST:PORT  ask what answers /metrics there instead; "off" asks no shim
  --output FORMAT      text or json (default text)

Exit code 1: a file is refused, no key is good now, or the shim does not use the keys of PATH.`;

/** One key of the node, as it is now. */
interface ListedKey {
  readonly keyId: string;
  readonly file: string;
  readonly algorithm: string;
  readonly state: 'good' | 'not yet good' | 'ended';
  readonly notBefore: string | undefined;
  readonly notAfter: string | undefined;
  /** What the running shim says of it; `undefined` where none was asked or it does not answer. */
  readonly use: KeyUse | 'not loaded by the shim' | undefined;
}

interface Listing {
  readonly keys: readonly ListedKey[];
  readonly refused: VerdictKeyFiles['refused'];
  /** Keys that the running shim believes and PATH does not name, by id. */
  readonly onlyInShim: readonly string[];
  /** Why nothing is known of what keys signed. */
  readonly shim: string | undefined;
}

export const keysListCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'grpc-socket': { type: 'string', default: DEFAULT_GRPC_SOCKET },
        metrics: { type: 'string' },
        output: { type: 'string', default: 'text' },
      },
    });
    const [path] = positionals;
    const { metrics, 'grpc-socket': grpcSocket } = values;
    const address = metrics === undefined ? { grpcSocket } : parseListenAddress(metrics);
    const isGood = positionals.length === 1 && ['text', 'json'].includes(values.output) && address !== undefined;
    if (path === undefined || !isGood) {
      return wrongUsage('keys list', 'expected one PATH');
    }
    const files = await readVerdictKeyFiles(path);
    const use = address === 'off' ? 'no shim was asked' : await readKeyUse(address);
    const listing = list(files, use, Date.now());
    if (values.output === 'json') console.log(plainJson(listing, 2));
    else print(listing, path);
    return isFine(listing) ? 0 : 1;
  },
};

function list({ keys, refused }: VerdictKeyFiles, use: ReadonlyMap<string, KeyUse> | string, now: number): Listing {
  const used = typeof use === 'string' ? undefined : use;
  const listed = [...keys].map(([keyId, { key, window, file }]): ListedKey => {
    const position = positionIn(window, now);
    return {
      ...{ keyId, file },
      algorithm: key.asymmetricKeyType === 'ed25519' ? 'Ed25519' : 'ECDSA P-256',
      state: position === 'inside' ? 'good' : position === 'before' ? 'not yet good' : 'ended',
      notBefore: endOfWindow(window.notBefore),
      notAfter: endOfWindow(window.notAfter),
      use: used === undefined ? undefined : (used.get(keyId) ?? 'not loaded by the shim'),
    };
  });
  const onlyInShim = [...(used ?? [])].filter(([id, { isLoaded }]) => isLoaded && !keys.has(id)).map(([id]) => id);
  return { keys: listed, refused, onlyInShim, shim: typeof use === 'string' ? use : undefined };
}

function isFine({ keys, refused, onlyInShim }: Listing): boolean {
  const isLoaded = keys.every(({ use }) => typeof use !== 'string');
  return keys.some(({ state }) => state === 'good') && refused.length === 0 && onlyInShim.length === 0 && isLoaded;
}

function print({ keys, refused, onlyInShim, shim }: Listing, path: string): void {
  const say = (line: string) => console.log(plainText(line));
  for (const { keyId, file, algorithm, state, notBefore, notAfter, use } of keys) {
    say(`key ${keyId}`);
    say(`  file      ${file}, ${algorithm}`);
    say(`  window    ${state}: from ${notBefore ?? 'ever'} until ${notAfter ?? 'its file is removed'}`);
    if (use !== undefined) say(`  verdicts  ${typeof use === 'string' ? use : describe(use)}`);
  }
  if (keys.length === 0) say(`no key in ${path} is valid: every pull is refused`);
  for (const { problem } of refused) say(`REFUSED ${problem}`);
  for (const id of onlyInShim)
    say(`the running shim believes key ${id}, which is not in ${path}; it looks again within seconds`);
  if (shim !== undefined) say(`which key signed the last verdicts is not known: ${shim}`);
}

function describe({ verdicts, lastAt, isLoaded }: KeyUse): string {
  if (!isLoaded) return 'not loaded by the shim';
  if (lastAt === undefined) return 'none since the shim was started';
  return `${verdicts} since the shim was started, the last at ${lastAt}`;
}

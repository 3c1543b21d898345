import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { CANARY_NAMESPACE, criClient, ctrClient, type PullClient } from '../canary/clients.ts';
import { lentCanaries } from '../canary/lent.ts';
import { type CanaryResult, colourOf } from '../canary/outcome.ts';
import { runCanary, runOwnImage } from '../canary/run.ts';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { DEFAULT_CONTAINERD_SOCKET, DEFAULT_GRPC_SOCKET, wrongUsage } from './options.ts';

const HELP = `Proves on the live node that containerd asks: pulls an image that has to be refused, and one that has to pass.

Usage: portcullis canary [OPTIONS]

  --containerd SOCKET  containerd's socket, which serves CRI as well (default ${DEFAULT_CONTAINERD_SOCKET})
  --ctr PROGRAM        pull by this ctr, too; "off" for CRI alone (default: the ctr on the PATH, if there is one)
  --namespace NAME     containerd's namespace for that ctr (default ${CANARY_NAMESPACE}, which goes again)
  --grpc-socket PATH   the daemon's gRPC socket (default: that of --config, or ${DEFAULT_GRPC_SOCKET})
  --config FILE        the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --pass IMAGE         an image of yours that has to pass, by the whole way through the backend
  --refuse IMAGE       an image of yours that has to be denied
  --output text|json   (default text)

The daemon makes both images, of random bytes, serves them on loopback for as long as this runs, and asks no backend about them. The bad
one has to be refused with a word that only the daemon knows. Nothing stays on the node; an image of yours does if it was there before.

Exit code 0: all green. 1: something is red. 3: it could not be found out: no containerd, no daemon, no answer from the backend.`;

const TEXT = { type: 'string' } as const;
const OPTIONS = {
  ...{ containerd: TEXT, ctr: TEXT, namespace: TEXT, 'grpc-socket': TEXT, config: TEXT, pass: TEXT, refuse: TEXT },
  output: { type: 'string', default: 'text' },
} as const;

export const canaryCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    if (values.output !== 'text' && values.output !== 'json') {
      return wrongUsage('canary', '--output: expected text or json');
    }
    const settings = await readNodeSettings(values.config);
    const containerd = values.containerd ?? settings.containerd ?? DEFAULT_CONTAINERD_SOCKET;
    const ctr = values.ctr ?? (await findOnPath('ctr')) ?? 'off';
    const clients: readonly PullClient[] = [
      criClient(containerd),
      ...(ctr === 'off' ? [] : [ctrClient(ctr, containerd, values.namespace)]),
    ];
    const stopped = new AbortController();
    const stop = () => stopped.abort();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
    const runs = runsOf(clients, {
      grpcSocket: values['grpc-socket'] ?? settings['grpc-socket'] ?? DEFAULT_GRPC_SOCKET,
      ...{ pass: values.pass, refuse: values.refuse, signal: stopped.signal },
    });
    const results: CanaryResult[] = [];
    try {
      for (const run of runs) {
        const result = await run();
        if (stopped.signal.aborted) return 3;
        results.push(result);
        if (values.output === 'text') printCanary(result);
      }
    } finally {
      for (const client of clients) client.close();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
    }
    if (values.output === 'json') console.log(plainJson(results, 2));
    return exitCodeOf(results);
  },
};

interface RunOptions {
  readonly grpcSocket: string;
  readonly pass: string | undefined;
  readonly refuse: string | undefined;
  readonly signal: AbortSignal;
}

/** What there is to do, one after the other: each client pulls everything. */
function runsOf(clients: readonly PullClient[], { grpcSocket, pass, refuse, signal }: RunOptions) {
  const source = lentCanaries(grpcSocket);
  return clients.flatMap((client) => [
    () => runCanary(source, client, signal),
    ...(refuse === undefined ? [] : [() => runOwnImage(client, refuse, 'refuse', signal)]),
    ...(pass === undefined ? [] : [() => runOwnImage(client, pass, 'pass', signal)]),
  ]);
}

async function findOnPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(':').filter((path) => path.startsWith('/'))) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

const MARK = { green: '✓', red: '✗', unknown: '?' } as const;

export function printCanary({ client, outcome, steps, cure }: CanaryResult): void {
  for (const { ok, sentence } of steps) {
    const mark = ok ? MARK.green : MARK[colourOf(outcome)];
    console.log(`${mark} ${client}: ${ok ? '' : `${outcome}: `}${plainText(sentence)}`);
  }
  if (cure !== '') console.log(`  cure: ${cure}`);
}

function exitCodeOf(results: readonly CanaryResult[]): number {
  const colours = results.map(({ outcome }) => colourOf(outcome));
  if (colours.includes('red')) return 1;
  return colours.includes('unknown') ? 3 : 0;
}

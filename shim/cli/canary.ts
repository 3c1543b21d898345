import { parseArgs } from 'node:util';
import { criClient, ctrClient, type PullClient } from '../canary/clients.ts';
import { permitByList } from '../canary/permit.ts';
import { type CanaryResult, runCanary } from '../canary/run.ts';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { DEFAULT_CONTAINERD_SOCKET } from './options.ts';

const HELP = `Proves on the live node that containerd asks: pulls an image that has to be refused, and one that has to pass.

Usage: portcullis canary [OPTIONS]

  --containerd SOCKET  containerd's socket, which serves CRI as well (default ${DEFAULT_CONTAINERD_SOCKET})
  --ctr PROGRAM        pull by this ctr, too (default: by CRI alone)
  --bootstrap DIR      the daemon's bootstrap folder, where the good image is listed while this runs; without it only the bad
                       one is tried (default: that of --config)
  --config FILE        the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --output text|json   (default text)

It makes both images itself, of random bytes, and serves them on loopback for as long as it runs; they are taken off the node
again. The daemon refuses the bad one by its name, as CANARY_REFUSED, and asks nobody about either.

Exit code 0: green by every client. 1: red by one. 3: there was no containerd to ask.`;

export const canaryCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        containerd: { type: 'string', default: DEFAULT_CONTAINERD_SOCKET },
        ctr: { type: 'string' },
        bootstrap: { type: 'string' },
        config: { type: 'string' },
        output: { type: 'string', default: 'text' },
      },
    });
    if (values.output !== 'text' && values.output !== 'json') {
      console.error('portcullis canary: --output: expected text or json; see "portcullis canary --help"');
      return 2;
    }
    const bootstrap = values.bootstrap ?? (await readNodeSettings(values.config)).bootstrap;
    const clients: readonly PullClient[] = [
      criClient(values.containerd),
      ...(values.ctr === undefined ? [] : [ctrClient(values.ctr, values.containerd)]),
    ];
    try {
      const results = await runCanary(clients, bootstrap === undefined ? undefined : permitByList(bootstrap));
      if (values.output === 'json') console.log(plainJson(results, 2));
      else for (const result of results) console.log(lineOf(result));
      return exitCodeOf(results);
    } finally {
      for (const client of clients) client.close();
    }
  },
};

/** One line for a person. */
export function lineOf({ client, outcome, sentence }: CanaryResult): string {
  return `${outcome === 'green' ? 'green' : 'RED  '} ${client}: ${outcome === 'green' ? '' : `${outcome}: `}${plainText(sentence)}`;
}

function exitCodeOf(results: readonly CanaryResult[]): number {
  const outcomes = results.map(({ outcome }) => outcome);
  if (outcomes.every((outcome) => outcome === 'green')) return 0;
  return outcomes.every((outcome) => outcome === 'green' || outcome === 'no-client') ? 3 : 1;
}

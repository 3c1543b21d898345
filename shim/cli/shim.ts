import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import { readShimFile, type ShimSetting, type ShimSettings } from '../configuration.ts';
import { startDaemon } from '../daemon.ts';
import { createLog } from '../log/log.ts';
import {
  DEFAULT_CONTAINERD_SOCKET,
  DEFAULT_GRPC_SOCKET,
  DEFAULT_LAUNCHER_SOCKET,
  DEFAULT_TASK_QUEUE,
  FLEET_USAGE,
  fleetOf,
  PROXY_USAGE,
  parseInterval,
  parseListenAddress,
  parseProxies,
  wrongUsage,
} from './options.ts';

const HELP = `The node's daemon: answers the launcher and gRPC callers.

Usage: portcullis shim --verdict-keys PATH [OPTIONS]
       portcullis shim --config FILE [OPTIONS]

  --verdict-keys PATH  public key of the workers' verdicts, or a directory of *.pub files; NAME.json beside NAME.pub
                       limits when that key is valid, see "portcullis keys list --help" (required)
  --socket PATH        the launcher's socket      (default ${DEFAULT_LAUNCHER_SOCKET})
  --grpc-socket PATH   the gRPC service's socket  (default ${DEFAULT_GRPC_SOCKET})
  --task-queue NAME    the workers' task queue    (default ${DEFAULT_TASK_QUEUE})
  --fleet NAME         statements and verdicts of the workers of this fleet count, and of no other; --fleet of the workers
                       (default: the task queue)
  --node NAME          this node, for people      (default: the host name)
  --state DIR          where verdicts are kept over a restart, and the last policy statement; without it every pull asks
  --bootstrap DIR      folder of *.list files: digests that need no backend, see "portcullis bootstrap learn --help"
  --canary-every TIME  prove to oneself so often that containerd asks, as in 5m; "off" for never (default off)
  --containerd SOCKET  the socket for that        (default ${DEFAULT_CONTAINERD_SOCKET})
  --proxy environment|off
                       whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY count on the way to Temporal (default environment)
  --config FILE        these settings as YAML, "verdict-keys: PATH"; what is given here counts more
  --metrics HOST:PORT  where Prometheus scrapes /metrics; "off" for nowhere (default 127.0.0.1:9464)

Temporal is found as the Temporal CLI finds it: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_* or its
configuration file; certificates and keys that are renewed on disk are used within seconds. The daemon comes up without it and refuses pulls, with the reason, until it is there.

Changed verdict keys and lists are picked up within seconds, at SIGHUP at once. SIGTERM and SIGINT drain: new pulls wait for the
next daemon, running ones are answered first. Logs are JSON lines on stderr, one for each decision.`;

const DEFAULTS = {
  socket: DEFAULT_LAUNCHER_SOCKET,
  'grpc-socket': DEFAULT_GRPC_SOCKET,
  'task-queue': DEFAULT_TASK_QUEUE,
  node: hostname(),
  metrics: '127.0.0.1:9464',
  containerd: DEFAULT_CONTAINERD_SOCKET,
  'canary-every': 'off',
  proxy: 'environment',
};

const TEXT = { type: 'string' } as const;

const OPTIONS = {
  config: TEXT,
  'verdict-keys': TEXT,
  socket: TEXT,
  'grpc-socket': TEXT,
  'task-queue': TEXT,
  fleet: TEXT,
  node: TEXT,
  metrics: TEXT,
  state: TEXT,
  bootstrap: TEXT,
  containerd: TEXT,
  'canary-every': TEXT,
  proxy: TEXT,
} satisfies Record<ShimSetting | 'config', typeof TEXT>;

export const shimCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const { config, ...given } = values;
    const filed: ShimSettings = config === undefined ? {} : await readShimFile(config);
    const settings = { ...DEFAULTS, ...filed, ...given };
    const verdictKeys = settings['verdict-keys'];
    const fleet = fleetOf(settings.fleet, settings['task-queue']);
    const metrics = parseListenAddress(settings.metrics);
    const everyMs = parseInterval(settings['canary-every']);
    if (verdictKeys === undefined) return wrongUsage('shim', '--verdict-keys is needed');
    if (fleet === undefined) return wrongUsage('shim', FLEET_USAGE);
    if (metrics === undefined) return wrongUsage('shim', '--metrics: expected HOST:PORT or "off"');
    if (everyMs === undefined) return wrongUsage('shim', '--canary-every: expected 10s to 24h, as in 5m, or "off"');
    const proxies = parseProxies(settings.proxy);
    if (proxies === undefined) return wrongUsage('shim', PROXY_USAGE);
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    });
    const starting = startDaemon(
      {
        launcherSocket: settings.socket,
        grpcSocket: settings['grpc-socket'],
        verdictKeys,
        taskQueue: settings['task-queue'],
        proxies,
        fleet,
        node: settings.node,
        metrics: metrics === 'off' ? undefined : metrics,
        state: settings.state,
        bootstrap: settings.bootstrap,
        canary: everyMs === 'off' ? undefined : { containerd: settings.containerd, everyMs },
      },
      createLog((line) => process.stderr.write(line)),
    );
    process.on('SIGHUP', () => void starting.then((daemon) => daemon.reload()));
    const daemon = await starting;
    await stopped;
    await daemon.stop(SHIM_DEADLINE_MS);
    return 0;
  },
};

import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { SHIM_DEADLINE_MS } from '../../workflows/deadlines.ts';
import { startDaemon } from '../daemon.ts';
import { createLog } from '../log.ts';
import { DEFAULT_GRPC_SOCKET, DEFAULT_LAUNCHER_SOCKET, DEFAULT_TASK_QUEUE, parseListenAddress } from './options.ts';

const HELP = `The node's daemon: answers the launcher and gRPC callers.

Usage: portcullis shim --verdict-keys PATH [OPTIONS]

  --verdict-keys PATH  public key of the workers' verdicts, or a directory of *.pub files; NAME.json beside NAME.pub
                       limits when that key is believed, see "portcullis keys list --help" (required)
  --socket PATH        the launcher's socket      (default ${DEFAULT_LAUNCHER_SOCKET})
  --grpc-socket PATH   the gRPC service's socket  (default ${DEFAULT_GRPC_SOCKET})
  --task-queue NAME    the workers' task queue    (default ${DEFAULT_TASK_QUEUE})
  --node NAME          this node, for people      (default: the host name)
  --metrics HOST:PORT  where Prometheus scrapes /metrics; "off" for nowhere (default 127.0.0.1:9464)

Temporal is found as the Temporal CLI finds it: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_* or its
configuration file. The daemon comes up without it and refuses pulls, with the reason, until it is there.

Changed verdict keys are picked up within seconds, at SIGHUP at once. SIGTERM and SIGINT drain: new pulls are refused with "pull again", running ones
are answered first. Logs are JSON lines on stderr, one for each decision.`;

export const shimCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'verdict-keys': { type: 'string' },
        socket: { type: 'string', default: DEFAULT_LAUNCHER_SOCKET },
        'grpc-socket': { type: 'string', default: DEFAULT_GRPC_SOCKET },
        'task-queue': { type: 'string', default: DEFAULT_TASK_QUEUE },
        node: { type: 'string', default: hostname() },
        metrics: { type: 'string', default: '127.0.0.1:9464' },
      },
    });
    const verdictKeys = values['verdict-keys'];
    const metrics = parseListenAddress(values.metrics);
    if (verdictKeys === undefined || metrics === undefined) {
      const what = verdictKeys === undefined ? '--verdict-keys is needed' : '--metrics: expected HOST:PORT or "off"';
      console.error(`portcullis shim: ${what}; see "portcullis shim --help"`);
      return 2;
    }
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    });
    const starting = startDaemon(
      {
        launcherSocket: values.socket,
        grpcSocket: values['grpc-socket'],
        verdictKeys,
        taskQueue: values['task-queue'],
        node: values.node,
        metrics: metrics === 'off' ? undefined : metrics,
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

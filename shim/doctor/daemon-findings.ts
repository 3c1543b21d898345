import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { ProxyEnvironment } from '../../workflows/format/proxy.ts';
import { readLists } from '../bootstrap/list-watch.ts';
import { scrapeMetrics } from '../scrape.ts';
import { readVerdictKeyFiles } from '../verdict-keys/key-files.ts';
import { describeDaemon } from './describe-daemon.ts';
import type { Finding } from './finding.ts';
import { stateFindings } from './state-findings.ts';

/** What the daemon of this node was told, as far as it is known. */
export interface DaemonSettings {
  readonly launcherSocket: string;
  readonly grpcSocket: string;
  readonly verdictKeys: string | undefined;
  readonly bootstrap: string | undefined;
  /** The folder of what it remembers. */
  readonly state: string | undefined;
  readonly taskQueue: string;
  /** The variables that name proxies: an empty object where they do not count, by default those of this process. */
  readonly proxies?: ProxyEnvironment;
  readonly fleet: string;
  /** `HOST:PORT` of its metrics; `undefined` when they are off. */
  readonly metrics: string | undefined;
}

const RESTART = 'systemctl restart portcullis-shim; journalctl -u portcullis-shim tells why it does not answer';

/** How long the daemon may take to accept a connection, in ms. */
const PATIENCE_MS = 2_000;

/** Finds what keeps the daemon from answering, or from allowing. */
export async function daemonFindings(settings: DaemonSettings): Promise<readonly Finding[]> {
  const socket = await socketFindings(settings.launcherSocket);
  const isThere = socket.length === 0;
  return [
    ...socket,
    ...(isThere ? await toldFindings(settings) : []),
    ...(settings.verdictKeys === undefined ? [] : await keyFindings(settings.verdictKeys)),
    ...(settings.bootstrap === undefined ? [] : await listFindings(settings.bootstrap)),
  ];
}

async function socketFindings(path: string): Promise<readonly Finding[]> {
  const at = await stat(path).catch(() => undefined);
  const why = 'without the daemon every pull is refused as SHIM_ABSENT';
  if (at === undefined || !at.isSocket()) {
    return [{ id: 'socket-missing', severity: 'stuck', found: `no socket at ${path}`, why, fix: RESTART }];
  }
  for (const [place, stats] of [[path, at] as const, [dirname(path), await stat(dirname(path))] as const]) {
    if (stats.uid === 0 && (stats.mode & 0o022) === 0) continue;
    const found = `${place} belongs to ${stats.uid}, mode ${(stats.mode & 0o7777).toString(8)}`;
    const because = 'the launcher trusts no socket that others could have put there: SHIM_UNTRUSTED';
    const fix = `chown root ${place} && chmod go-w ${place}`;
    return [{ id: 'socket-untrusted', severity: 'stuck', found, why: because, fix }];
  }
  if (await accepts(path)) return [];
  return [{ id: 'daemon-silent', severity: 'stuck', found: `no daemon answers at ${path}`, why, fix: RESTART }];
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(PATIENCE_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** What the daemon tells of itself: by its own socket, because any program may hold the port of the metrics. */
async function toldFindings({ grpcSocket, metrics }: DaemonSettings): Promise<readonly Finding[]> {
  const [distrust] = await socketFindings(grpcSocket);
  const told = distrust === undefined ? await describeDaemon(grpcSocket) : distrust.found;
  if (typeof told === 'object') {
    const { metrics: text, missing } = told;
    const policy = policyFindings(text, 'the daemon tells no age of the policy');
    return [...policy, ...stateFindings(text), ...missing.map(missingPart)];
  }
  const silent = told === undefined ? [] : [missingPart({ name: 'grpc', problem: told })];
  if (metrics === undefined) return silent;
  const text = await scrapeMetrics(metrics).catch((error: unknown) => `unreadable: ${String(error)}`);
  return [...policyFindings(text, `no metrics at ${metrics}`), ...stateFindings(text), ...silent];
}

function missingPart({ name, problem }: { readonly name: string; readonly problem: string }): Finding {
  return {
    id: 'part-missing',
    severity: 'weak',
    found: `${name}: ${problem}`,
    why: 'pulls are answered without it, but what it would tell is not told; another program may hold its address',
    fix: `stop the program that is in the way ("ss -ltnp" shows who holds a port), or give ${name} another address in shim.yaml; the daemon tries again every 5 s`,
  };
}

/** The age of the newest policy statement tells whether Temporal, a worker and the verdict keys are as they should be. */
function policyFindings(text: string, unknown: string): readonly Finding[] {
  const age = Number(/^portcullis_policy_age_seconds (\S+)$/m.exec(text)?.[1]);
  if (age >= 0 && age <= 30) return [];
  const told = Number.isNaN(age) ? unknown : `the newest policy statement is ${age.toFixed(0)} s old`;
  return [
    {
      id: 'policy-unknown',
      severity: 'stuck',
      found: age === -1 ? 'the daemon has not heard any policy statement' : told,
      why: 'after 60 s without one nothing is allowed but what is kept for that, or on the bootstrap list',
      fix: "see that Temporal at TEMPORAL_ADDRESS and a portcullis worker run, that the node has the key by which the workers sign (portcullis keys list), and the daemon's log",
    },
  ];
}

/** Whether verdict keys can be read, and whether one is believed now. */
export async function keyFindings(path: string): Promise<readonly Finding[]> {
  const problem = (found: string): Finding => ({
    id: 'verdict-keys',
    severity: 'stuck',
    found,
    why: 'verdicts are accepted by these keys alone',
    fix: `give the node the public key of its workers as a file in ${path}; see portcullis keys list ${path}`,
  });
  try {
    const { keys, refused } = await readVerdictKeyFiles(path);
    const good = [...keys.values()].filter(
      ({ window }) => window.notBefore <= Date.now() && window.notAfter > Date.now(),
    );
    return [
      ...refused.map(({ file, problem: what }): Finding => ({ ...problem(`${file}: ${what}`), severity: 'weak' })),
      ...(good.length === 0 ? [problem(`no key in ${path} is valid now`)] : []),
    ];
  } catch (error) {
    return [problem(String(error))];
  }
}

async function listFindings(directory: string): Promise<readonly Finding[]> {
  const { listed, problems } = await readLists(directory).catch((error: unknown) => ({
    listed: [],
    problems: [{ from: directory, problem: String(error) }],
  }));
  const findings = problems.map(
    ({ from, problem }): Finding => ({
      id: 'bootstrap-problem',
      severity: 'weak',
      found: `${from}: ${problem}`,
      why: 'what can not be read of a bootstrap list lets nothing in',
      fix: 'correct it, or remove the line',
    }),
  );
  if (listed.length > 0) return findings;
  return [
    ...findings,
    {
      id: 'bootstrap-empty',
      severity: 'weak',
      found: `no digest is listed in ${directory}`,
      why: 'when the whole cluster starts at once, pause, network and Temporal itself have to be pulled before anybody can verify them',
      fix: `put "sha256:<digest>  NAME" lines for them into ${directory}/node.list`,
    },
  ];
}

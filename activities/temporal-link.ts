import { createPrivateKey, X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { ProxyEnvironment } from '../workflows/format/proxy.ts';
import { explainObstacle, explainStatus, placeOf, STATUS } from '../workflows/temporal/explain.ts';
import { findObstacle, type ProbeNetwork } from '../workflows/temporal/obstacle.ts';
import {
  clientOptions,
  readTemporalSettings,
  type SettingsSource,
  type TemporalSettings,
} from '../workflows/temporal/settings.ts';
import { MAX_TEMPORAL_FILE_BYTES } from './limits.ts';

const SOURCE: SettingsSource = {
  profile: loadClientConfigProfile,
  async read(path) {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw new Error('it is not a file');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_TEMPORAL_FILE_BYTES + 1));
    if (bytesRead > MAX_TEMPORAL_FILE_BYTES) throw new Error(`it has more than ${MAX_TEMPORAL_FILE_BYTES} bytes`);
    return buffer.subarray(0, bytesRead);
  },
  certificate: (pem) => new X509Certificate(pem),
  isPair: (certificate, key) => new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)),
};

const NETWORK: ProbeNetwork<ReturnType<typeof connect>> = {
  connect: (host, port) => connect({ host, port }),
  secure: (socket, { authorities, client }, serverName) =>
    connectTls({
      ...{ socket, servername: isIP(serverName) === 0 ? serverName : '', host: serverName, ALPNProtocols: ['h2'] },
      ...(authorities !== undefined && { ca: authorities }),
      ...(client !== undefined && { cert: client.chain, key: client.key }),
    }),
};

/** Between two attempts to reach Temporal at start, in ms: a worker may be up before its server. */
const RECONNECT_MS = 1_000;

/** How often the settings are looked at once there is a connection, in ms. */
const LOOK_MS = 2_000;

/** Maximum time of an attempt to connect, and of the probe that follows a failed one, in ms. */
const CONNECT_MS = 5_000;
const PROBE_MS = 3_000;

/** How often the connection is tried, and how long an answer may take, in ms. */
const HEALTH_MS = 10_000;
const ANSWER_MS = 5_000;

/** How often the same problem is logged, in ms. */
const REPEAT_MS = 60_000;

type Log = (level: string, message: string, fields: object) => void;

/** The connection of a worker to Temporal, which follows the settings: certificates, keys and authorities renewed on disk. */
export interface WorkerLink {
  /** The newest one. */
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** Begins to look at the settings, and hands over each newer connection; the older one is closed afterwards. Called once. */
  follow(use: (connection: NativeConnection) => void): void;
  /** Closes the connection, which no worker may use any more. */
  close(): Promise<void>;
}

/**
 * Connects to the Temporal that the environment names (`TEMPORAL_ADDRESS` and the other variables and the configuration file
 * of the Temporal CLI), and logs why it can't until it can: a server, a certificate or a namespace may come later.
 * `undefined` when `signal` ended it.
 */
export async function connectTemporal(
  proxies: ProxyEnvironment,
  log: Log,
  signal: AbortSignal,
): Promise<WorkerLink | undefined> {
  const tell = oncePerMinute(log);
  while (!signal.aborted) {
    const attempt = connectOnce(proxies).catch((error: unknown) => messageOf(error));
    const connected = await untilAborted(attempt, signal);
    if (signal.aborted) void attempt.then((late) => (typeof late === 'string' ? undefined : late.connection.close()));
    else if (typeof connected === 'object') return followSettings(connected, proxies, log);
    else if (connected !== undefined) tell('Temporal is not there yet', connected);
    await delay(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

interface Connected {
  readonly connection: NativeConnection;
  readonly settings: TemporalSettings;
}

async function connectOnce(proxies: ProxyEnvironment): Promise<Connected> {
  const settings = await readTemporalSettings(SOURCE, proxies);
  return { connection: await connectWith(settings), settings };
}

/** Connects, and asks for the namespace. Throws an error whose message is one line, `cause; fix`. */
export async function connectWith(settings: TemporalSettings): Promise<NativeConnection> {
  const { address, proxy } = settings;
  const { username: user, password } = proxy?.credentials ?? {};
  const basicAuth = user === undefined || password === undefined ? {} : { basicAuth: { username: user, password } };
  const through = proxy && { proxy: { type: 'http-connect' as const, targetHost: proxy.label, ...basicAuth } };
  // Core holds a connection to a server that hangs for ever: it is not asked to connect before an own connection is answered.
  const obstacle = await findObstacle(settings, NETWORK, AbortSignal.timeout(PROBE_MS)).catch(() => undefined);
  if (obstacle?.kind === 'silent') throw new Error(explainObstacle(obstacle, settings, Date.now()));
  let connection: NativeConnection | undefined;
  try {
    connection = await withinTime(NativeConnection.connect({ ...clientOptions(settings), address, ...through }));
    await ask(connection, settings);
    return connection;
  } catch (error) {
    await connection?.close();
    throw new Error(await explain(error, settings), { cause: error });
  }
}

async function ask(connection: NativeConnection, { namespace }: TemporalSettings): Promise<void> {
  const describing = () => connection.workflowService.describeNamespace({ namespace });
  await connection.withDeadline(Date.now() + ANSWER_MS, describing);
}

/** Core has no limit of its own for this: a server that accepts and never answers would be waited for without end. */
async function withinTime(connecting: Promise<NativeConnection>): Promise<NativeConnection> {
  const late = Symbol();
  const timer = new AbortController();
  const first = await Promise.race([connecting, delay(CONNECT_MS, late, { signal: timer.signal })]).finally(() =>
    timer.abort(),
  );
  if (first instanceof NativeConnection) return first;
  connecting.then(
    (connection) => connection.close(),
    () => {},
  );
  throw new Error('no answer in time');
}

/** What tonic calls the status codes in the errors of a connection (its `Code::description`). */
const STATUSES: readonly (readonly [RegExp, number])[] = [
  [/code: '(?:Some requested entity was not found|NotFound)/, STATUS.notFound],
  [/code: '(?:The caller does not have permission|PermissionDenied)/, STATUS.permissionDenied],
  [/code: '(?:Some resource has been exhausted|ResourceExhausted)/, STATUS.exhausted],
  [/code: '(?:The request does not have valid authentication|Unauthenticated)/, STATUS.unauthenticated],
];

/** The status by which Temporal itself refused, as a sentence; `undefined` when there was no answer. */
function refusalOf(error: unknown, settings: TemporalSettings): string | undefined {
  const text = firstLine(error);
  const given = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  const status = given ?? STATUSES.find(([pattern]) => pattern.test(text))?.[1];
  const said = /message: "([^"]*)"/.exec(text)?.[1] ?? text;
  return status !== undefined && ANSWERS.has(status) ? explainStatus(status, said, settings) : undefined;
}

async function explain(error: unknown, settings: TemporalSettings): Promise<string> {
  const refusal = refusalOf(error, settings);
  if (refusal !== undefined) return refusal;
  const obstacle = await findObstacle(settings, NETWORK, AbortSignal.timeout(PROBE_MS)).catch(() => undefined);
  return obstacle === undefined
    ? `${placeOf(settings)}: ${firstLine(error)}; check TEMPORAL_ADDRESS and the log of Temporal`
    : explainObstacle(obstacle, settings, Date.now());
}

/** Core appends the call stack of what it did. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const ANSWERS: ReadonlySet<number> = new Set(STATUSES.map(([, status]) => status));

/** Looks at the settings and at the connection until it is closed. */
function followSettings(first: Connected, proxies: ProxyEnvironment, log: Log): WorkerLink {
  let current = first;
  const stop = new AbortController();
  const tell = oncePerMinute(log);
  let asked = Date.now();
  /** The newest question had no answer. A handshake that began while the server hung is waited for without end: connect anew. */
  let isSilent = false;

  async function renew(use: (connection: NativeConnection) => void): Promise<void> {
    const settings = await readTemporalSettings(SOURCE, proxies, current.settings);
    const isChanged = JSON.stringify(settings) !== JSON.stringify(current.settings);
    if (!isChanged && !isSilent) return;
    if (settings.namespace !== current.settings.namespace) {
      throw new Error('the namespace of a running worker can not change; restart the worker');
    }
    const connection = await connectWith(settings);
    if (stop.signal.aborted) return await connection.close();
    const old = current.connection;
    try {
      use(connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
    current = { connection, settings };
    await old.close();
    isSilent = false;
    const message = isChanged ? 'Temporal: the changed settings are used' : 'Temporal: connected anew';
    log('info', message, { address: settings.address, proxy: settings.proxy?.label });
  }

  async function check(): Promise<void> {
    if (Date.now() - asked < HEALTH_MS) return;
    asked = Date.now();
    const { connection, settings } = current;
    try {
      await ask(connection, settings);
      isSilent = false;
      tell('Temporal answers again', undefined);
    } catch (error) {
      isSilent = refusalOf(error, settings) === undefined;
      tell('Temporal does not answer', await explain(error, settings));
    }
  }

  async function watch(use: (connection: NativeConnection) => void): Promise<void> {
    const tellOfSettings = oncePerMinute(log);
    let before: string | undefined;
    while (!stop.signal.aborted) {
      await delay(LOOK_MS, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted) break;
      try {
        await renew(use);
        before = undefined;
      } catch (error) {
        const problem = messageOf(error);
        // What is gone at the next look was a file that was being written.
        if (problem === before) tellOfSettings('Temporal: the changed settings are not used yet', problem);
        before = problem;
      }
      await check();
    }
  }

  let watching: Promise<void> | undefined;
  return {
    get connection() {
      return current.connection;
    },
    namespace: first.settings.namespace,
    follow(use) {
      watching ??= watch(use);
    },
    async close() {
      stop.abort();
      await watching;
      await current.connection.close();
    },
  };
}

/** Logs a problem when it is new, and as long as it stays once a minute; `undefined` ends it, with a line if there was one. */
function oncePerMinute(log: Log): (message: string, problem: string | undefined) => void {
  let told: { readonly problem: string; readonly at: number } | undefined;
  return (message, problem) => {
    const now = Date.now();
    if (problem === undefined) {
      if (told !== undefined) log('info', message, {});
      told = undefined;
    } else if (problem !== told?.problem || now - told.at >= REPEAT_MS) {
      told = { problem, at: now };
      log('warn', message, { error: problem });
    }
  };
}

/** The value of a promise, or `undefined` as soon as the signal fires. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: fired, resolve } = Promise.withResolvers<undefined>();
  const fire = () => resolve(undefined);
  signal.addEventListener('abort', fire, { once: true });
  if (signal.aborted) fire();
  try {
    return await Promise.race([promise, fired]);
  } finally {
    signal.removeEventListener('abort', fire);
  }
}

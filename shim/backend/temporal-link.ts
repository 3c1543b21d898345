import { createPrivateKey, X509Certificate } from 'node:crypto';
import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import type { ProxyEnvironment } from '../../workflows/format/proxy.ts';
import { explainObstacle, placeOf } from '../../workflows/temporal/explain.ts';
import { findObstacle, type ProbeNetwork } from '../../workflows/temporal/obstacle.ts';
import {
  clientOptions,
  readTemporalSettings,
  type SettingsSource,
  type TemporalSettings,
} from '../../workflows/temporal/settings.ts';
import { readBounded } from '../host/bounded-file.ts';
import { type Looks, lookEvery } from '../host/look-every.ts';
import type { Log } from '../log/log.ts';
import { messageOf } from '../log/message-of.ts';
import { BackendProblem } from './backend.ts';

/** A list of certificates is a few KB; the authorities of a whole system are 250. */
const MAX_FILE_BYTES = 1024 * 1024;

const SOURCE: SettingsSource = {
  profile: loadClientConfigProfile,
  read: (path) => readBounded(path, MAX_FILE_BYTES),
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

// gRPC writes to stderr what a proxy answers; the diagnosis says it in the messages.
if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE);

/**
 * How gRPC makes connections. Its own rules for proxies (`grpc_proxy`, `no_grpc_proxy`, lower case only) are off: the proxy of
 * the settings counts. Holds secrets.
 */
export function channelOptions(settings: TemporalSettings) {
  const { address, tls, proxy } = settings;
  const { username, password } = proxy?.credentials ?? {};
  return {
    ...clientOptions(settings),
    address: proxy?.label ?? address,
    channelArgs: {
      'grpc.enable_http_proxy': 0,
      // A second channel is to make a connection of its own.
      'grpc.use_local_subchannel_pool': 1,
      ...(proxy !== undefined && {
        'grpc.http_connect_target': `dns:${address}`,
        'grpc.default_authority': tls?.serverName ?? address,
      }),
      ...(username !== undefined && { 'grpc.http_connect_creds': `${username}:${password}` }),
    },
  };
}

/** How often the files are looked at, in ms. */
const LOOK_MS = 2_000;

/** How long a new connection may take to be answered before it replaces the old one, in ms. */
const TRIAL_MS = 5_000;

/** Maximum time of a probe, in ms. */
const PROBE_MS = 2_000;

/** A call without an answer for so long is doubted, and a probe about it ends so much before the call, in ms. */
const PATIENCE_MS = 1_000;
const BEFORE_END_MS = 100;

/** Time between two probes, and how long a finding is repeated, in ms. */
const PROBE_EVERY_MS = 5_000;
const FINDING_MS = 15_000;

/** Calls to Temporal over one connection. */
export interface TemporalSession {
  /** Settles when Temporal answers anything at all. Rejects with a {@link BackendProblem}. */
  ping(deadline: number): Promise<void>;
  /** Since when (Unix ms) calls have no answer at all; `undefined` when the newest one got some. */
  silentSince(): number | undefined;
  /** There is another session now: ends the calls that lose their connection as unreachable, instead of waiting for it. */
  retire(): void;
  close(): Promise<void>;
}

/** The end of a call that is made again over another connection. */
export const ABANDONED = new BackendProblem('TEMPORAL_UNREACHABLE', 'the connection to Temporal was replaced');

/** A connection to Temporal that follows its settings: certificates, keys and authorities that are renewed on disk. */
export interface TemporalLink<Session extends TemporalSession> {
  /** Makes calls over the newest connection. Rejects with a {@link BackendProblem} when the settings can't be used. */
  use<T>(call: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What a link depends on besides the variables and the configuration file of the Temporal CLI. */
export interface LinkOptions {
  /** The variables that name proxies: an empty object switches proxies off, by default those of this process. */
  readonly proxies?: ProxyEnvironment;
  readonly log?: Log;
}

interface Opened<Session> {
  readonly session: Session;
  readonly settings: TemporalSettings;
  readonly diagnosis: Diagnosis;
  /** Calls that are not over. */
  uses: number;
}

/**
 * Opens a connection with the first call, and another one within seconds after the settings changed on disk. The new one
 * replaces the old one when Temporal has answered it; calls that are not over end on the old one, or are made again when that one has lost Temporal.
 */
export function openTemporalLink<Session extends TemporalSession>(
  open: (settings: TemporalSettings, diagnosis: Diagnosis) => Session,
  { proxies = process.env, log }: LinkOptions,
): TemporalLink<Session> {
  let current: Opened<Session> | undefined;
  let looks: Looks | undefined;
  let seen: string | undefined;
  let told: string | undefined;

  const start = (settings: TemporalSettings): Opened<Session> => {
    const diagnosis = diagnoseWith(settings);
    return { session: open(settings, diagnosis), settings, diagnosis, uses: 0 };
  };

  async function first(): Promise<Opened<Session>> {
    const settings = await readTemporalSettings(SOURCE, proxies).catch((error: unknown) => {
      throw new BackendProblem('TEMPORAL_UNREACHABLE', `Temporal can't be reached: ${messageOf(error)}`, error);
    });
    current ??= start(settings);
    looks ??= lookEvery(LOOK_MS, look);
    return current;
  }

  async function look(): Promise<void> {
    try {
      const settings = await readTemporalSettings(SOURCE, proxies, current?.settings);
      if (current === undefined) return;
      const isChanged = JSON.stringify(settings) !== JSON.stringify(current.settings);
      if (!isChanged && !isStuck(current)) return tell(undefined);
      // A channel that waits for a server that hangs holds its connection for ever: none is opened before one is answered.
      const obstacle = await findObstacle(settings, NETWORK, AbortSignal.timeout(PROBE_MS));
      if (obstacle !== undefined) return tell(explainObstacle(obstacle, settings, Date.now()));
      const next = start(settings);
      try {
        await next.session.ping(Date.now() + TRIAL_MS);
      } catch (error) {
        await next.session.close();
        throw error;
      }
      const old = current;
      if (old === undefined) return await next.session.close(); // the link was closed meanwhile
      current = next;
      tell(undefined);
      const message = isChanged ? 'Temporal: the changed settings are used' : 'Temporal: connected anew';
      log?.info(message, { address: settings.address, proxy: settings.proxy?.label });
      old.session.retire();
      if (old.uses === 0) await old.session.close();
    } catch (error) {
      tell(messageOf(error));
    }
  }

  /** A problem that is there at the next look as well is not a file that is being written. */
  function tell(problem: string | undefined): void {
    const isLasting = problem !== undefined && problem === seen;
    seen = problem;
    if (problem === undefined) told = undefined;
    if (!isLasting || problem === told) return;
    told = problem;
    log?.warn('Temporal: the changed settings are not used yet', { error: problem });
  }

  async function callOver<T>(used: Opened<Session>, call: (session: Session) => Promise<T>): Promise<T> {
    used.uses += 1;
    try {
      return await call(used.session);
    } finally {
      used.uses -= 1;
      if (used.uses === 0 && used !== current) await used.session.close();
    }
  }

  return {
    async use(call) {
      const used = current ?? (await first());
      try {
        return await callOver(used, call);
      } catch (error) {
        const isUnreachable = error instanceof BackendProblem && error.code === 'TEMPORAL_UNREACHABLE';
        if (!isUnreachable || current === undefined || current === used) throw error;
        return await callOver(current, call);
      }
    },
    async close() {
      looks?.stop();
      const last = current;
      current = undefined;
      await last?.session.close();
    },
  };
}

/** How Temporal is reached by the settings of this process, for messages; the problem when the settings can't be used. */
export async function describeRoute(proxies: ProxyEnvironment = process.env): Promise<string> {
  return readTemporalSettings(SOURCE, proxies).then(placeOf, messageOf);
}

/**
 * Whether calls have no answer although a new connection gets one: a handshake that began while the server or the proxy hung
 * is waited for without end.
 */
function isStuck<Session extends TemporalSession>({ session, diagnosis }: Opened<Session>): boolean {
  const since = session.silentSince();
  if (since === undefined) return false;
  diagnosis.look();
  return diagnosis.healthyAt !== undefined && diagnosis.healthyAt > since;
}

/** What is in the way of connections, found by connections of its own. */
export interface Diagnosis {
  /** Looks, unless it has just looked, until a time in Unix ms at the latest. */
  look(until?: number): void;
  /** Looks when a call until then (Unix ms) has no answer after a while; the answer ends this. */
  doubt(deadline: number): () => void;
  /** When it last found nothing in the way, Unix ms. */
  readonly healthyAt: number | undefined;
  /** What it found lately, as one line. */
  readonly found: string | undefined;
}

function diagnoseWith(settings: TemporalSettings): Diagnosis {
  let begun = 0;
  let healthyAt: number | undefined;
  let finding: { readonly at: number; readonly sentence: string } | undefined;
  async function probe(ms: number): Promise<void> {
    const obstacle = await findObstacle(settings, NETWORK, AbortSignal.timeout(ms));
    const at = Date.now();
    if (obstacle === undefined) healthyAt = at;
    finding = obstacle === undefined ? undefined : { at, sentence: explainObstacle(obstacle, settings, at) };
  }
  function look(until = Number.POSITIVE_INFINITY): void {
    const now = Date.now();
    const ms = Math.min(PROBE_MS, until - now);
    if (ms <= 0 || now - begun < PROBE_EVERY_MS) return;
    begun = now;
    probe(ms).catch(() => {
      finding = undefined; // certificates that TLS does not take: the client's own error says so
    });
  }
  return {
    look,
    doubt(deadline) {
      const after = Math.min(PATIENCE_MS, Math.max(0, deadline - Date.now()) / 3);
      const timer = setTimeout(look, after, deadline - BEFORE_END_MS);
      return () => clearTimeout(timer);
    },
    get healthyAt() {
      return healthyAt;
    },
    get found() {
      return finding !== undefined && Date.now() - finding.at < FINDING_MS ? finding.sentence : undefined;
    },
  };
}

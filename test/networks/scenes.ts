import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Question } from './asker.ts';
import type { Authority, Identity } from './authorities.ts';
import type { Condition, WorkerClient } from './cells.ts';
import { type Effect, type Front, type Received, type Reply, startFront, startRelay } from './front.ts';
import { BEHIND, DIRECT } from './names.ts';
import {
  challenge,
  GCP_KEY,
  googleAccount,
  isSignedBy,
  REGISTRY_TOKEN,
  type Service,
  type Services,
  startGoogle,
} from './services.ts';

/** What a condition needs of the world. */
export interface World {
  readonly stack: AsyncDisposableStack;
  readonly services: Services;
  /** Named to the clients' process by NODE_EXTRA_CA_CERTS. */
  readonly known: Authority;
  /** Named by files of one client: hosts.toml. */
  readonly own: Authority;
  /** Named to no client. */
  readonly unknown: Authority;
  /** A folder of its own for each client and condition. */
  readonly folderOf: (client: WorkerClient, condition: Condition) => Promise<string>;
}

/** One client under one condition, ready to be asked. */
export interface Scene {
  readonly question: Question;
  /** The service behind this port is the one that is meant. */
  readonly port: number;
  /** Requests that the service answered. */
  readonly answered: () => number;
  /** Done between the first question and those after it: the first credential ends here. */
  readonly renew?: () => Promise<void>;
}

/** What a front is for one condition. */
interface Setting {
  readonly identity: Identity | undefined;
  readonly clients: string | undefined;
  readonly effect: Effect;
  readonly refuse: ((request: Received) => Reply | undefined) | undefined;
}

/** Long enough for a machine with much to do, short where the limit is what is tried. */
const waitOf = (condition: Condition): number => (condition === 'slow' ? 2_000 : 20_000);

const FIRST = 'first-credential';
const SECOND = 'second-credential';

export async function stage(world: World, client: WorkerClient, condition: Condition): Promise<Scene> {
  const folder = await world.folderOf(client, condition);
  if (client === 'Google Cloud KMS') return await stageGoogle(world, condition, folder);
  const service = world.services[client];
  const isRenewed = condition === 'renewed credential';
  let accepted = FIRST;
  const refuse = (request: Received) =>
    service.credential !== undefined && isRenewed && service.credential.of(request) !== accepted
      ? service.credential.refusal
      : undefined;
  const upstream = service.upstream;
  const effect = await effectOf(world, condition, upstream);
  const setting: Setting = { ...tlsOf(world, client, condition), effect, refuse };
  const front = await startOne(world, { ...setting, upstream });
  const scheme = setting.identity === undefined ? 'http' : 'https';
  const origin = new URL(`${scheme}://${condition === 'CONNECT proxy' ? BEHIND : DIRECT}:${front.port}`);
  const asked = await besides(world, client, origin);
  const files = { service, origin: client === 'token' ? new URL(asked.origin) : origin, folder };
  await writeFiles(world, client, { ...files, credential: FIRST });
  return {
    question: {
      ...{ id: `${client} ${condition}`, client, folder, origin: asked.origin },
      ...{
        subject: service.subject(new URL(asked.origin)),
        env: service.env(origin, folder),
        waitMs: waitOf(condition),
      },
    },
    port: front.port,
    answered: () => front.answered.length,
    ...(isRenewed && {
      renew: async () => {
        accepted = SECOND;
        await writeFiles(world, client, { ...files, credential: SECOND });
      },
    }),
  };
}

const startOne = async (world: World, options: Parameters<typeof startFront>[0]): Promise<Front> => {
  const front = await startFront(options);
  world.stack.defer(() => front.stop());
  return front;
};

const WITH_FILES = 'registry with TLS of its own';

/** What its server shows, and whose certificates it wants to see. Key Vault has no HTTP. */
function tlsOf({ known, own, unknown }: World, client: WorkerClient, condition: Condition) {
  const authority = client === WITH_FILES ? own : known;
  switch (condition) {
    case 'plain':
    case 'slow':
    case 'cut':
    case 'redirect':
    case 'renewed credential': {
      const isPlain = client !== WITH_FILES && client !== 'Azure Key Vault';
      return {
        identity: isPlain ? undefined : authority.server(),
        clients: client === WITH_FILES ? own.pem : undefined,
      };
    }
    case 'unknown CA':
      return { identity: unknown.server(), clients: undefined };
    case 'own CA':
    case 'CONNECT proxy':
    case 'NO_PROXY':
      return { identity: authority.server(), clients: undefined };
    case 'client certificate':
      return { identity: authority.server(), clients: own.pem };
  }
}

async function effectOf(world: World, condition: Condition, upstream: string): Promise<Effect> {
  switch (condition) {
    case 'slow':
      return { kind: 'slow' };
    case 'cut':
      return { kind: 'cut' };
    case 'redirect': {
      const other = await startOne(world, { upstream, identity: world.known.server() });
      return { kind: 'redirect', to: `https://${DIRECT}:${other.port}` };
    }
    default:
      return { kind: 'none' };
  }
}

interface Files {
  readonly service: Service;
  readonly origin: URL;
  readonly folder: string;
  readonly credential: string;
}

async function writeFiles({ own }: World, client: WorkerClient, files: Files): Promise<void> {
  const { service, origin, folder, credential } = files;
  await service.files(origin, folder, credential);
  if (client !== WITH_FILES) return;
  const host = join(folder, 'certs.d', origin.host);
  await mkdir(host, { recursive: true });
  await writeFile(join(host, 'ca.crt'), own.pem);
  const { cert, key } = own.client(credential);
  await writeFile(join(host, 'client.pem'), cert + key);
  await writeFile(join(host, 'hosts.toml'), `server = "${origin.origin}"\nca = "ca.crt"\nclient = "client.pem"\n`);
}

/** The origin that the client is asked about, where the one under the condition is only a step on the way. */
async function besides(world: World, client: WorkerClient, origin: URL): Promise<{ readonly origin: string }> {
  switch (client) {
    case 'token': {
      const refuse = ({ headers }: Received) =>
        headers.authorization === `Bearer ${REGISTRY_TOKEN}`
          ? undefined
          : challenge(`Bearer realm="${origin.origin}/token",service="s"`);
      const { upstream } = world.services.registry;
      const registry = await startOne(world, { upstream, identity: undefined, refuse });
      return { origin: `http://${DIRECT}:${registry.port}` };
    }
    case 'Google tokens': {
      const { port } = await startGoogle(world.stack, world.known.server());
      return { origin: `https://${DIRECT}:${port}` };
    }
    case 'Azure tokens': {
      const { upstream } = world.services['Azure Key Vault'];
      const vault = await startOne(world, { upstream, identity: world.known.server() });
      return { origin: `https://${DIRECT}:${vault.port}` };
    }
    default:
      return { origin: origin.origin };
  }
}

/** gRPC, for which no front stands: faults are those of its double, and of a relay before it. */
async function stageGoogle(world: World, condition: Condition, folder: string): Promise<Scene> {
  const identity = (condition === 'unknown CA' ? world.unknown : world.known).server();
  const clients = condition === 'client certificate' ? world.own.pem : undefined;
  const double = await startGoogle(world.stack, identity, clients);
  const relay = await startRelay(double.port);
  world.stack.defer(() => relay.stop());
  if (condition === 'slow') double.fault = { kind: 'hang' };
  if (condition === 'cut') double.fault = { kind: 'instead', run: () => relay.cut() };
  const accept = (keyId: string) => {
    double.fault = { kind: 'unless', isCaller: (authorization) => isSignedBy(authorization, keyId) };
  };
  await googleAccount(folder, FIRST);
  if (condition === 'renewed credential') accept(FIRST);
  const client = 'Google Cloud KMS';
  const origin = `https://${condition === 'CONNECT proxy' ? BEHIND : DIRECT}:${relay.port}`;
  const env = { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'adc.json'), GOOGLE_CLOUD_PROJECT: 'p' };
  return {
    question: {
      id: `${client} ${condition}`,
      client,
      origin,
      folder,
      subject: `gcpkms://${GCP_KEY}`,
      env,
      waitMs: waitOf(condition),
    },
    port: relay.port,
    answered: () => double.calls.length,
    ...(condition === 'renewed credential' && {
      async renew() {
        accept(SECOND);
        await googleAccount(folder, SECOND);
      },
    }),
  };
}

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  CreateGrantCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  KMSClient,
  ListKeysCommand,
  PutKeyPolicyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { type Kms, startKms } from '../../../infra/stack/kms.ts';
import { obtain } from '../../../infra/tools/obtain.ts';
import { type AccessKey, createUser } from '../../support/kms/account.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../../support/kms/owner.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { reference, signal } from './aws-suite.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: object;
}
interface Document {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

const DOCUMENTS = ['policy-verify', 'policy-verify-remote', 'policy-verdict'] as const;
type Name = (typeof DOCUMENTS)[number];
const MESSAGE = Buffer.from('what was signed');
const DIGEST = { Message: Buffer.alloc(32), MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' } as const;

/** As the file has it, for this key. */
async function readDocument(name: Name, arn: string): Promise<Document> {
  const text = await readFile(new URL(`../../../infra/aws/${name}.json`, import.meta.url), 'utf8');
  const document = JSON.parse(text) as Document; // a document of our own, each part of which is tried below
  return { ...document, Statement: document.Statement.map((one) => ({ ...one, Resource: [arn] })) };
}

/** One action less. */
function without(document: Document, action: string): Document {
  const statements = document.Statement.map((one) => ({
    ...one,
    Action: one.Action.filter((name) => name !== action),
  }));
  return { ...document, Statement: statements.filter(({ Action }) => Action.length > 0) };
}

const actionsOf = (document: Document) => document.Statement.flatMap(({ Action }) => Action);

describe('the documents of infra/aws, on a server that enforces them', () => {
  const root: AccessKey = { accessKeyId: 'AKIDOWNER', secretAccessKey: 'not-a-secret' };
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let kms: Kms;
  let owner: KmsOwner;
  let key: OwnedKey;
  let other: OwnedKey;
  before(async () => {
    folder = await temporaryFolder();
    kms = await startKms({ dir: folder.path, root });
    Object.assign(process.env, kmsEnvironment(kms.url));
    owner = new KmsOwner(kms.url);
    [key, other] = await Promise.all([owner.create('ECC_NIST_P256'), owner.create('ECC_NIST_P256')]);
  });
  after(async () => {
    owner?.close();
    await kms?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  let users = 0;
  const userWith = (document: Document) => createUser(kms.url, root, `user-${users++}`, document);
  /** A worker's own client, as this user. */
  const workerWith = async (document: Document) => {
    const { accessKeyId, secretAccessKey } = await userWith(document);
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    return createAwsKeyManager();
  };
  type Worker = Awaited<ReturnType<typeof workerWith>>;
  /** The server knows neither condition key, see below. */
  const unconditional = (document: Document): Document => ({
    ...document,
    Statement: document.Statement.map(({ Condition: _, ...one }) => one),
  });
  const look = async (worker: Worker, { arn }: OwnedKey) => {
    const { state, keys } = await worker.describe(reference(`awskms:///${arn}`), signal);
    assert.equal(state.kind, 'usable');
    return keys;
  };
  const WORK: Readonly<Record<Name, (worker: Worker, of: OwnedKey) => Promise<void>>> = {
    'policy-verify': async (worker, of) => {
      await look(worker, of);
    },
    'policy-verify-remote': async (worker, of) => {
      const signature = await owner.sign(of, 'ECDSA_SHA_256', MESSAGE);
      const [found] = await look(worker, of);
      assert.ok(found !== undefined);
      const named = reference(`awskms:///${of.arn}`);
      assert.equal(await worker.verify(named, found, MESSAGE, signature, signal), true);
    },
    'policy-verdict': async (worker, of) => {
      const { signature } = await worker.sign(reference(`awskms:///${of.arn}`), MESSAGE, signal);
      assert.ok(signature.length > 0);
    },
  };
  const refusalOf = async (work: Promise<void>) => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof EvidenceError, `expected a refusal, found ${error}`);
    assert.equal(error.code, 'KMS_ACCESS_DENIED');
    return error.message;
  };

  for (const name of DOCUMENTS) {
    it(`${name} suffices for its work, and every action is needed`, async () => {
      const document = unconditional(await readDocument(name, key.arn));
      await WORK[name](await workerWith(document), key);
      for (const action of actionsOf(document)) {
        const said = await refusalOf(WORK[name](await workerWith(without(document, action)), key));
        assert.ok(said.includes(`(${action} on "${key.arn}"`), `${action}: ${said}`);
      }
    });

    it(`${name} gives nothing of another key, and nothing else of its own`, async () => {
      const document = unconditional(await readDocument(name, key.arn));
      await refusalOf(WORK[name](await workerWith(document), other));
      const credentials = await userWith(document);
      const client = new KMSClient({ endpoint: kms.url, region: 'eu-west-1', credentials });
      const [KeyId, allowed] = [key.arn, actionsOf(document)];
      const asks: Readonly<Record<string, () => Promise<unknown>>> = {
        'kms:Sign': () => client.send(new SignCommand({ KeyId, ...DIGEST })),
        'kms:Verify': () => client.send(new VerifyCommand({ KeyId, ...DIGEST, Signature: Buffer.alloc(70) })),
        'kms:CreateKey': () => client.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })),
        'kms:DisableKey': () => client.send(new DisableKeyCommand({ KeyId })),
        'kms:ScheduleKeyDeletion': () => client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 })),
        'kms:PutKeyPolicy': () => client.send(new PutKeyPolicyCommand({ KeyId, Policy: '{}' })),
        'kms:CreateGrant': () =>
          client.send(
            new CreateGrantCommand({ KeyId, GranteePrincipal: 'arn:aws:iam::000000000000:root', Operations: ['Sign'] }),
          ),
        'kms:ListKeys': () => client.send(new ListKeysCommand({})),
      };
      for (const [action, ask] of Object.entries(asks)) {
        if (!allowed.includes(action)) await assert.rejects(ask(), { name: 'AccessDeniedException' }, action);
      }
      client.destroy();
    });
  }

  it('policy-verdict lets its caller look at the key although it restricts how the key signs', async () => {
    const worker = await workerWith(await readDocument('policy-verdict', key.arn));
    assert.equal((await look(worker, key)).length, 1);
  });

  it('lacks the keys of the condition: a request without them is refused, as AWS refuses it', async () => {
    // When this fails, the server has learnt the keys, and the tests above can leave the condition in.
    const said = await refusalOf(
      WORK['policy-verdict'](await workerWith(await readDocument('policy-verdict', key.arn)), key),
    );
    assert.match(said, /\(kms:Sign on /);
  });

  it('policy-verdict allows one algorithm and digests alone, by the evaluator of that server', async () => {
    const document = await readDocument('policy-verdict', key.arn);
    // AWS KMS developer guide, "Condition keys for AWS KMS": both keys are those of the request's own parameters.
    const ask = (SigningAlgorithm: string, MessageType: string, action = 'kms:Sign', resource = key.arn) => ({
      ...{ action, resource },
      context: { 'kms:SigningAlgorithm': SigningAlgorithm, 'kms:MessageType': MessageType },
    });
    assert.deepEqual(
      await evaluate(document, [
        ask('ECDSA_SHA_256', 'DIGEST'),
        ask('ECDSA_SHA_256', 'RAW'),
        ask('ECDSA_SHA_384', 'DIGEST'),
        ask('RSASSA_PSS_SHA_256', 'DIGEST'),
        ask('ECDSA_SHA_256', 'DIGEST', 'kms:Sign', other.arn),
        ask('ECDSA_SHA_256', 'DIGEST', 'kms:Verify'),
        { action: 'kms:Sign', resource: key.arn, context: {} },
        { action: 'kms:DescribeKey', resource: key.arn, context: {} },
        { action: 'kms:GetPublicKey', resource: key.arn, context: {} },
      ]),
      ['Allow', ...Array(6).fill('ImplicitDeny'), 'Allow', 'Allow'],
    );
  });
});

interface Asked {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
}

const EVALUATOR = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
asked = json.loads(sys.argv[2])
policy = parse_policy_document(json.dumps(asked["document"]))
def decide(one):
    keys = {name.lower(): value for name, value in one["context"].items()}
    return evaluate(EvalContext("arn:aws:iam::000000000000:user/worker", "User", "000000000000", one["action"],
        one["resource"], "eu-west-1", source_ip="127.0.0.1", secure_transport=True, service_context=keys), [policy]).decision
print(json.dumps([decide(one) for one in asked["requests"]]))
`;

/** The decisions of ministack's policy evaluator on requests whose context its KMS does not fill in. */
async function evaluate(document: Document, requests: readonly Asked[]): Promise<readonly string[]> {
  const { ministack } = await obtain(['ministack']);
  const site = join(dirname(await realpath(ministack)), 'site');
  const { stdout } = await promisify(execFile)('python3', [
    '-c',
    EVALUATOR,
    site,
    JSON.stringify({ document, requests }),
  ]);
  return JSON.parse(stdout) as readonly string[]; // printed just above
}

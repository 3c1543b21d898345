import { parseArgs } from 'node:util';
import { type ImageName, parseName, pulledName } from '../../workflows/format/name.ts';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { REASON_OUTCOME, type Reason } from '../../workflows/verdict/reason.ts';
import { WIRE_OUTCOME } from '../grpc/wire.ts';
import type { WireVerdict } from '../proto/schema.ts';
import { DEFAULT_GRPC_SOCKET, wrongUsage } from './options.ts';
import { createStaircase } from './staircase.ts';
import { connectVerifier } from './verifier-client.ts';

const HELP = `Decides about one image as a pull on this node would, and shows each step.

Usage: portcullis verify IMAGE [OPTIONS]

  IMAGE                NAME[:TAG] or NAME@sha256:...; a tag is looked up by a worker first
  --grpc-socket PATH   the shim's gRPC socket  (default ${DEFAULT_GRPC_SOCKET})
  --output text|json   json prints the verdict alone  (default text)

Example: portcullis verify docker.io/library/alpine:3.22`;

/** As much of what was found as an error repeats. */
const MAX_QUOTE = 80;

/** Denied is an answer; inconclusive is the lack of one, and so is an outcome of a later version. */
function exitCodeOf({ outcome }: WireVerdict): number {
  if (outcome === 'ALLOW') return 0;
  return outcome === 'DENY' ? 1 : 3;
}

export const verifyCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'grpc-socket': { type: 'string', default: DEFAULT_GRPC_SOCKET },
        output: { type: 'string', default: 'text' },
      },
    });
    const [image] = positionals;
    if (image === undefined || positionals.length > 1 || !['text', 'json'].includes(values.output)) {
      return wrongUsage('verify', 'expected one IMAGE');
    }
    const name = parseName(image);
    if (name === undefined) {
      const found = plainJson(image.slice(0, MAX_QUOTE));
      console.error(`portcullis verify: expected an image name such as docker.io/library/alpine:3.22, found ${found}`);
      return 2;
    }
    const verdict = await verify(image, name, values['grpc-socket'], values.output === 'text');
    if (values.output === 'json') console.log(plainJson(verdict, 2));
    return exitCodeOf(verdict);
  },
};

async function verify(image: string, name: ImageName, socketPath: string, tell: boolean): Promise<WireVerdict> {
  const write = (text: string) => void (tell && process.stdout.write(text));
  const staircase = createStaircase(write, process.stdout.isTTY === true);
  const client = connectVerifier(socketPath);
  try {
    const found = name.digest === undefined ? await client.resolve(image) : { digest: name.digest };
    write(`${image}\n`);
    if ('digest' in found) write(`${plainText(found.digest)}\n`);
    const verdict =
      'digest' in found
        ? await client.watch(pulledName(name), found.digest, staircase.show)
        : unresolved(pulledName(name), found);
    staircase.end(verdict);
    return verdict;
  } finally {
    client.close();
  }
}

/** The answer about a tag that could not be looked up: a verdict that has no digest. */
function unresolved(name: string, reason: Reason): WireVerdict {
  return {
    ...{ decisionId: '', workflowId: '', name, digest: '', outcome: WIRE_OUTCOME[REASON_OUTCOME[reason.code]] },
    ...{ reasons: [reason], signers: [], policyRevision: '', trustRevision: '', decidedAt: '', expiresAt: '' },
  };
}

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from '../../infra/build.ts';
import { type House, RELEASE_KEY, startHouse } from '../../infra/stack/house.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { pushImage } from '../support/image.ts';
import { verifierInput } from '../support/launcher-request.ts';
import type { Program } from './timed-exec.ts';

/** An image as containerd hands it to a verifier: a name and what it was resolved to. */
export interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

/** A house with real servers, and the programs that are compared in it. */
export interface Stage {
  readonly house: House;
  /** Pushes an image like no other of this house and signs it with real cosign. */
  signedImage(repository: string, tag: string): Promise<Subject>;
  /** The launcher, as containerd executes it for this image. */
  launcher(subject: Subject): Program;
  /** `cosign verify --key` on the same digest, with as little to do as its options allow. */
  cosignVerify(subject: Subject): Program;
  /** A static program that does nothing, with the launcher's arguments. */
  noOp(subject: Subject): Program;
}

/** Where the programs are that run outside the house. */
export interface Programs {
  readonly launcher: string;
  readonly cosign: string;
}

/** What a Sigstore of one's own is made of. */
const SIGSTORE_PARTS = ['cosign2', 'fulcio', 'rekor-tiles', 'timestamp-authority', 'ct-log'] as const;

/** Builds and obtains everything that a stage needs; takes minutes the first time on a machine. */
export async function prepare(): Promise<Programs> {
  const [{ launcher }, { cosign }] = await Promise.all([
    build(),
    obtain(['cosign', 'temporal', 'registry-referrers', 'ministack', ...SIGSTORE_PARTS]),
  ]);
  return { launcher, cosign };
}

/** Starts the house in `dir`, a new folder of this user alone. */
export async function setUp(dir: string, programs: Programs): Promise<Stage> {
  const noOp = await buildNoOp(dir);
  const house = await startHouse({ dir });
  const { address } = house.registry;
  const launcher = (subject: Subject) => launcherFor(programs, house, subject);
  return {
    house,
    async signedImage(repository, tag) {
      const files = { 'etc/motd': `${repository}:${tag}\n` };
      const { name, digest } = await pushImage({ registry: address, repository, tag, files });
      await house.cosign.sign(`${address}/${repository}@${digest}`, RELEASE_KEY);
      return { name, digest };
    },
    launcher,
    cosignVerify: ({ name, digest }) => ({
      file: programs.cosign,
      args: [
        ...['verify', '--allow-http-registry', '--insecure-ignore-tlog=true', `--key=${RELEASE_KEY}.pub`],
        // without the tag: cosign need not resolve it, as the launcher need not
        `${name.slice(0, name.lastIndexOf(':'))}@${digest}`,
      ],
      cwd: dirname(house.verdictKey),
      env: process.env,
      stdin: '',
    }),
    noOp: (subject) => ({ ...launcher(subject), file: noOp }),
  };
}

/** The launcher as containerd executes it for an image, asking the shim of a house. */
export function launcherFor(programs: Programs, house: House, { name, digest }: Subject): Program {
  const env = { PORTCULLIS_SOCKET: house.launcherSocket };
  return { file: programs.launcher, env, ...verifierInput(name, digest) };
}

/** Linked like the launcher, so that the difference is the launcher's own work. */
async function buildNoOp(dir: string): Promise<string> {
  const file = join(dir, 'no-op');
  const compiling = promisify(execFile)('cc', ['-O2', '-static', '-x', 'c', '-o', file, '-']);
  compiling.child.stdin?.end('int main(void) { return 0; }\n');
  await compiling;
  return file;
}

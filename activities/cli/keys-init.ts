import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openOwnFolder } from '../own-folder.ts';
import { openManagedKey } from '../verdict-key/open.ts';
import { createVerdictKey, requireAbsent, writePublicKey } from '../verdict-key/verdict-key.ts';

const HELP = `Makes the key pair of the verdicts: workers sign with it, nodes believe it.

Usage: portcullis keys init [--kms URI] DIR

Writes DIR/verdict.key (private, for the workers, mode 0600) and DIR/verdict.pub (public, for every node). Files that
are already there are left alone, and nothing is written.

  --kms URI  the key is in a KMS and stays there: asks for its public key, has it sign once to see that it can, and
             writes DIR/verdict.pub only; workers get the URI (portcullis worker --verdict-key URI). The key has to be
             there already, ECDSA P-256 or Ed25519 (in AWS KMS: ECC_NIST_P256 for SIGN_VERIFY). Credentials are those
             of the service's own tools; which permissions are needed is in infra/README.md.`;

export const keysInitCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const options = { kms: { type: 'string' } } as const;
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [directory] = positionals;
    if (directory === undefined || positionals.length > 1) {
      console.error('portcullis keys init: expected one DIR; see "portcullis keys init --help"');
      return 2;
    }
    await openOwnFolder(directory);
    const publicFile = join(directory, 'verdict.pub');
    if (values.kms !== undefined) {
      await requireAbsent(publicFile);
      const { publicKey } = await openManagedKey(values.kms);
      await writePublicKey(publicFile, publicKey);
      console.log(publicFile);
      return 0;
    }
    const privateFile = join(directory, 'verdict.key');
    await createVerdictKey(privateFile, publicFile);
    console.log(`${privateFile}\n${publicFile}`);
    return 0;
  },
};

import { describe } from 'node:test';
import { startKms } from '../../../infra/stack/kms.ts';
import { itKeepsKeys } from '../../activities/kms/aws-suite.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('a real KMS server', () => {
  itKeepsKeys(async () => {
    const folder = await temporaryFolder();
    const kms = await startKms({ dir: folder.path });
    return {
      url: kms.url,
      async stop() {
        await kms.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  }, ['SM2', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87']);
});

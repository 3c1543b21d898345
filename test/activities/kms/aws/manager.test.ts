import { describe } from 'node:test';
import { startKms } from '../../../support/kms/server.ts';
import { itKeepsKeys } from '../aws-suite.ts';

describe('a KMS in this process', () => {
  itKeepsKeys(startKms, []);
});

import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The code whose checks decide what counts as evidence, and what a node believes. */
const SECURITY_CRITICAL = [
  'activities/{authority-rule,authority-keys,judge-evidence,judgement-cache,sign-verdict,verify-signature}.ts',
  'activities/{check-transparency-log,claim,request,request-field,verdict-key}.ts',
  'activities/sigstore/*.ts',
  'activities/trust/*.ts',
  'activities/kms/checked/checked-keys.ts',
  'shim/{decide,judgement,key-window,kept-verdicts,policy-watch,verdict-check,verdict-keys}.ts',
  'shim/bootstrap/list-file.ts',
  'workflows/{name,policy-head,verification-id,verification-summary}.ts',
];

/** All of them, as paths from `root`. */
export function securityCriticalFiles(root: string): readonly string[] {
  return SECURITY_CRITICAL.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
}

/** The unit tests of the rooms in which these files are: `test/` mirrors the tree. */
export function testsOf(files: readonly string[], root: string): readonly string[] {
  const folders = new Set(files.map((file) => join('test', dirname(file))));
  const patterns = [...folders].map((folder) =>
    ['test/activities', 'test/shim', 'test/workflows'].includes(folder)
      ? `${folder}/*.test.ts`
      : `${folder}/**/*.test.ts`,
  );
  return [...new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: root })))].toSorted();
}

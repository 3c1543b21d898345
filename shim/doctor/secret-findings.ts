import { statSync } from 'node:fs';
import type { Finding } from './finding.ts';

/** Finds that others may read the daemon's environment, which may hold an API key; nothing where there is no such file. */
export function secretFindings(environment: string): readonly Finding[] {
  const at = statSync(environment, { throwIfNoEntry: false });
  if (at === undefined || (at.uid === 0 && (at.mode & 0o077) === 0)) return [];
  return [
    {
      id: 'environment-readable',
      severity: 'weak',
      found: `${environment} belongs to user ${at.uid}, mode ${(at.mode & 0o7777).toString(8)}`,
      why: 'it may hold an API key or name a key file, and another user may read or change it',
      fix: `portcullis doctor --fix, or: chown root ${environment} && chmod 600 ${environment}; then make a new API key`,
    },
  ];
}

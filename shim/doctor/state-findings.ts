import type { Finding } from './finding.ts';

/** Whether the daemon knows and keeps what it must not forget, by its metrics. */
export function stateFindings(metrics: string): readonly Finding[] {
  const metricOf = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  const findings: Finding[] = [];
  if (metricOf('portcullis_state_unreadable') > 0) {
    findings.push({
      id: 'state-unreadable',
      severity: 'stuck',
      found: 'the daemon does not know what was revoked before its start: its log names the file',
      why: 'it allows nothing until a policy statement comes: STATE_UNREADABLE',
      fix: 'start a worker, or bring a statement (portcullis import); remove the file when that is damaged',
    });
  }
  if (metricOf('portcullis_state_unkept') > 0) {
    findings.push({
      id: 'state-unkept',
      severity: 'weak',
      found: 'the daemon could not write its state: its log names the file',
      why: 'after a restart it would not know what was revoked since',
      fix: 'make room on the disk of its state folder, and see that root can write there',
    });
  }
  return findings;
}

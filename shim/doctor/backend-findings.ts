import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { type Backend, BackendProblem } from '../backend/backend.ts';
import { movedClock, readTime } from '../memory/clock-guard.ts';
import { NODE_STATE_FILE, openNodeState } from '../memory/node-state.ts';
import { believedHead, readStatement } from '../policy-statement.ts';
import { readVerdictKeyFiles } from '../verdict-keys/key-files.ts';
import { parseEnvelope } from '../verdict-keys/verdict-keys.ts';
import type { DaemonSettings } from './daemon-findings.ts';
import type { Finding } from './finding.ts';

/** How long Temporal and a worker may take to answer, in ms. */
const PATIENCE_MS = 5_000;

/** A statement that workers renew every 8 s and that is older than this tells of a clock, in ms. */
const MOST_AGE_MS = 60_000;

/** Compares what workers state now with what this node goes by: policy revision, keys, clocks. */
export async function backendFindings(backend: Backend, settings: DaemonSettings): Promise<readonly Finding[]> {
  const { state, verdictKeys, fleet } = settings;
  const moved = state === undefined ? undefined : movedClock(readTime(join(state, 'clock')).time, Date.now());
  const clock = moved === undefined ? [] : [clockFinding(moved.sentence)];
  if (verdictKeys === undefined || !existsSync(verdictKeys)) return clock;
  try {
    const { keys } = await readVerdictKeyFiles(verdictKeys);
    const envelope = parseEnvelope(await backend.policyHead(Date.now() + PATIENCE_MS));
    if (envelope === undefined) return [...clock, unbelieved('the answer on its task queue is no signed statement')];
    const read = readStatement(envelope, keys, fleet, Date.now());
    if ('code' in read) return [...clock, unbelieved(read.sentence)];
    const known = state === undefined ? undefined : rememberedIn(state);
    return [...clock, ...aged(read.head), ...behind(known && believedHead(known, keys, fleet), read.head)];
  } catch (error) {
    if (!(error instanceof BackendProblem)) throw error;
    return [...clock, unreachable(error)];
  }
}

/** The statement that the daemon keeps. */
function rememberedIn(state: string): Envelope | undefined {
  const read = openNodeState(join(state, NODE_STATE_FILE)).read();
  return read.kind === 'state' ? read.state.statement : undefined;
}

function clockFinding(found: string): Finding {
  return {
    id: 'clock',
    severity: 'stuck',
    found,
    why: 'with a wrong clock, expired verdicts cannot be detected: the daemon refuses, as CLOCK_MOVED or POLICY_UNKNOWN',
    fix: 'timedatectl set-ntp true; timedatectl status',
  };
}

function unreachable({ code, message }: BackendProblem): Finding {
  const end = code === 'TEMPORAL_UNREACHABLE' || code === 'TEMPORAL_REFUSED' ? message.lastIndexOf('; ') : -1;
  return {
    id: 'backend-unreachable',
    severity: 'stuck',
    found: `${code}: ${end === -1 ? message : message.slice(0, end)}`,
    why: 'nothing is verified from this node until then; kept verdicts, imported ones and listed digests still count',
    fix:
      end === -1
        ? 'check TEMPORAL_ADDRESS in /etc/portcullis/shim.env, the network of this node, and that a portcullis worker runs'
        : `${message.slice(end + 2)}; the variables of the daemon are in /etc/portcullis/shim.env`,
  };
}

function unbelieved(found: string): Finding {
  return {
    id: 'policy-unknown',
    severity: 'stuck',
    found,
    why: 'a verdict under a policy that no worker stated is not accepted',
    fix: 'give this node the public key by which its workers sign (portcullis keys list), and compare fleets and clocks',
  };
}

function aged({ statedAt }: PolicyHead): readonly Finding[] {
  const age = Date.now() - Date.parse(statedAt);
  if (age <= MOST_AGE_MS) return [];
  return [
    clockFinding(`the workers' newest statement is of ${statedAt}, and this clock says ${new Date().toISOString()}`),
  ];
}

function behind(known: PolicyHead | undefined, stated: PolicyHead): readonly Finding[] {
  if (known === undefined || known.policyRevision === stated.policyRevision) return [];
  return [
    {
      id: 'policy-behind',
      severity: 'weak',
      found: `the workers go by policy ${stated.policyRevision.slice(0, 12)} since ${stated.statedAt} at the latest, the daemon by ${known.policyRevision.slice(0, 12)} of ${known.statedAt}`,
      why: 'a changed policy reaches every daemon within 15 s; one that it does not reach refuses everything a minute later',
      fix: 'look again in a moment; then systemctl restart portcullis-shim, and its log',
    },
  ];
}

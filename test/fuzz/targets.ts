import type { Target } from './target.ts';
import { certificateTarget } from './targets/certificate.ts';
import { checkpointTarget } from './targets/checkpoint.ts';
import { conditionTarget } from './targets/condition.ts';
import { bundleTarget, envelopeTarget, simpleSigningTarget } from './targets/evidence.ts';
import { logAnswerTarget } from './targets/log-answer.ts';
import { policyTarget } from './targets/policy.ts';
import { protoJsonTarget } from './targets/proto-json.ts';
import { statementTarget } from './targets/statement.ts';
import { tileTarget } from './targets/tile.ts';
import { timestampTarget } from './targets/timestamp.ts';
import { trustedRootTarget } from './targets/trusted-root.ts';

/** Every reader of bytes from outside that has a target. */
export const TARGETS: readonly Target[] = [
  bundleTarget,
  simpleSigningTarget,
  envelopeTarget,
  certificateTarget,
  checkpointTarget,
  tileTarget,
  logAnswerTarget,
  timestampTarget,
  statementTarget,
  protoJsonTarget,
  trustedRootTarget,
  policyTarget,
  conditionTarget,
];

/** What a canary showed of one way to pull. Closed, and an interface: README.md says what each means. */
export type CanaryOutcome =
  | 'green'
  | 'bypassed'
  | 'not-asked'
  | 'good-refused'
  | 'refused-by-others'
  | 'pull-failed'
  | 'not-decided'
  | 'no-client'
  | 'no-daemon';

/** `unknown` is for what could not be found out: nothing is known to be wrong, and nothing to be right. */
export type CanaryColour = 'green' | 'red' | 'unknown';

/** What to do about each outcome. */
const CURE: Readonly<Record<CanaryOutcome, { readonly colour: CanaryColour; readonly cure: string }>> = {
  green: { colour: 'green', cure: '' },
  bypassed: {
    colour: 'red',
    cure: 'containerd lets images in unasked: "portcullis doctor" names the setting',
  },
  'not-asked': {
    colour: 'red',
    cure: 'a verifier in bin_dir answers instead of this daemon: "portcullis doctor" names what is there',
  },
  'good-refused': {
    colour: 'red',
    cure: 'another verifier in bin_dir refuses what portcullis lets in: the words above are its own',
  },
  'refused-by-others': {
    colour: 'red',
    cure: 'another verifier in bin_dir refused first, or the launcher did not reach this daemon: "portcullis doctor"',
  },
  'pull-failed': {
    colour: 'red',
    cure: "no verifier stood in the way: look at containerd's log, and at a mirror for 127.0.0.1 or _default in certs.d",
  },
  'not-decided': { colour: 'unknown', cure: 'try again when what is named above is there' },
  'no-client': { colour: 'unknown', cure: 'is containerd running, and this its socket? --containerd SOCKET' },
  'no-daemon': { colour: 'unknown', cure: 'is "portcullis shim" running, and this its socket? --grpc-socket SOCKET' },
};

/** All of them, so that a metric has each from the start. */
export const CANARY_OUTCOMES: readonly string[] = Object.keys(CURE);

export function colourOf(outcome: CanaryOutcome): CanaryColour {
  return CURE[outcome].colour;
}

/** One thing that was looked at. */
export interface CanaryStep {
  readonly ok: boolean;
  readonly sentence: string;
}

export interface CanaryResult {
  /** As people call it: `cri`, `ctr`. */
  readonly client: string;
  readonly outcome: CanaryOutcome;
  /** In their order; the last one is what the outcome comes from. */
  readonly steps: readonly CanaryStep[];
  /** What to do; empty when nothing is. */
  readonly cure: string;
}

/** A result from what was seen: the last step is fine in a green one only. */
export function resultOf(
  client: string,
  outcome: CanaryOutcome,
  sentence: string,
  earlier: readonly CanaryStep[] = [],
): CanaryResult {
  return { client, outcome, steps: [...earlier, { ok: outcome === 'green', sentence }], cure: CURE[outcome].cure };
}

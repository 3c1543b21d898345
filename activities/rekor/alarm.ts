/** Something about a log that a person has to hear of. Each is raised once, not at every question. */
export interface LogAlarm {
  /**
   * `inconsistent`: the log signed two histories. `rolled-back`: it shows a smaller tree than before.
   * `memory-lost`: what was remembered of it can't be read, and nothing of it is accepted until a person has looked.
   * `memory-unsaved`: what it says now can't be kept for the time after a restart.
   */
  readonly kind: 'inconsistent' | 'rolled-back' | 'memory-lost' | 'memory-unsaved';
  /** Base URL of the log. */
  readonly log: string;
  readonly sentence: string;
}

export type OnAlarm = (alarm: LogAlarm) => void;

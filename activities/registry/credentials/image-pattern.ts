/**
 * Whether a pattern of kubelet's `matchImages` is about an image (kubelet.config.k8s.io/v1 CredentialProvider): as many labels, each
 * by globs of its own; the same port; its path the beginning of the image's.
 */
export function matchesImage(pattern: string, image: string): boolean {
  const [wanted, found] = [partsOf(pattern), partsOf(image)];
  return (
    wanted.port === found.port &&
    wanted.labels.length === found.labels.length &&
    wanted.labels.every((label, index) => matchesLabel(label, found.labels[index] ?? '')) &&
    (wanted.path === '' || found.path === wanted.path || found.path.startsWith(`${wanted.path}/`))
  );
}

interface Parts {
  readonly labels: readonly string[];
  readonly port: number;
  readonly path: string;
}

/** Host in lower case and port as a number, so that two spellings of a registry are one. An IPv6 address is one label. */
function partsOf(text: string): Parts {
  const form = /^(?:https?:\/\/)?(\[[^\]]*\]|[^/:]*)(?::(\d+))?(?:\/(.*?))?\/?$/;
  const [, host = '', port = '443', path = ''] = form.exec(text) ?? [];
  return { labels: host.toLowerCase().split('.'), port: Number(port), path };
}

/** `*` is any run of characters in a label. Without backtracking: what is before the first and after the last is fixed. */
function matchesLabel(glob: string, label: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  const last = rest.pop();
  if (last === undefined) return glob === label;
  if (label.length < first.length + last.length || !label.startsWith(first) || !label.endsWith(last)) return false;
  let from = first.length;
  for (const part of rest) {
    const at = label.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return from <= label.length - last.length;
}

import { globSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'smol-toml';
import { textAt } from '../host/atomic-file.ts';

/** Patterns of files that a main file merges over itself, as it says them. Throws for text that is no TOML. */
export function importsOf(toml: string): readonly string[] {
  const { imports } = parse(toml);
  return Array.isArray(imports) ? imports.filter((one) => typeof one === 'string') : [];
}

/**
 * The patterns of a configuration by absolute paths, the last one counts most. Only the main file itself tells: `config dump`
 * (containerd 2.3.7, 2.4.2) prints /etc/containerd/conf.d as imported in any case, and containerd reads it only when the file says so.
 */
export function importPatterns(config: string): readonly string[] {
  return importsOf(textAt(config) ?? '').map((pattern) =>
    isAbsolute(pattern) ? pattern : join(dirname(config), pattern),
  );
}

/** The files that they match now, in the order in which they are merged. */
export function importedFiles(config: string): readonly string[] {
  return importPatterns(config).flatMap((pattern) => globSync(pattern).toSorted());
}

/** The file of a configuration that was changed last, when that was after a time (Unix ms); files that can't be read are passed over. */
export function changedSince(
  config: string,
  since: number,
): { readonly path: string; readonly at: number } | undefined {
  const imported = ifReadable(() => importedFiles(config)) ?? [];
  const files = [config, ...imported].flatMap((path) => {
    const at = ifReadable(() => statSync(path).mtimeMs);
    return at !== undefined && at > since ? [{ path, at }] : [];
  });
  return files.toSorted((a, b) => b.at - a.at)[0];
}

function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

import { readFileSync } from 'node:fs';

/** The version of the package. */
export function packageVersion(): string {
  // npm has read the file before
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return version;
}

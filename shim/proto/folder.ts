import { fileURLToPath } from 'node:url';

/** This folder, by a path that leads there from `lib/node` of a release as well. */
export const PROTO_FOLDER = fileURLToPath(new URL('../../shim/proto/', import.meta.url));

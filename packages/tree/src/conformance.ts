import type { TreeStore } from './store.ts'

/** Opens an empty store. */
export type OpenStore = () => Promise<TreeStore>

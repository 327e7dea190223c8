// For Piscina and Tinypool: the default export is the worker.
import { handle } from './handle.ts'

// oxlint-disable-next-line import/no-default-export -- that is how they find it
export default handle

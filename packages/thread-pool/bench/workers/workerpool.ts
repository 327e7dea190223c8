import workerpool from 'workerpool'
import { handle } from './handle.ts'

workerpool.worker({ handle })

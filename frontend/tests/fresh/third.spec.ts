import { it } from 'vitest'

import { expectNoTraces } from './traces'

it('begins as if it were the third and only file', expectNoTraces)

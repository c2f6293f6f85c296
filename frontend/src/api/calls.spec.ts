import { describe, expect, it, vi } from 'vitest'

import { useFakeServer } from '../../tests/useFakeServer'

import { addressOf, get, getPages, patch, post, remove } from './calls'
import { signIn } from './client'

useFakeServer()

/** Never run: what must not compile. `vue-tsc` fails when one of these does. */
export const refusedByTheCompiler = [
  // @ts-expect-error there is no such address
  () => get('shops/'),
  // @ts-expect-error the name in the address is missing
  () => get('shows/{show_id}/'),
  // @ts-expect-error the name is another one
  () => get('shows/{show_id}/', { id: 's1' }),
  // @ts-expect-error this address takes no POST
  () => post('broadcasts/', {}),
  // @ts-expect-error the body lacks its text
  () => post('broadcasts/{broadcast_id}/say/', {}, { broadcast_id: 'b1' }),
  // @ts-expect-error no such state
  () => getPages('broadcasts/', { query: { state: ['flying'] } }),
  // @ts-expect-error the answer has no such field
  async () => (await get('me/')).shoe_size,
  // @ts-expect-error a reading is a text
  () => patch('pronunciations/{pronunciation_id}/', { reading: 7 }, { pronunciation_id: 'p1' }),
  // @ts-expect-error a device cannot be read by itself, nor is this its name
  () => remove('auth/devices/{device_id}/', { device: 'd1' }),
]

describe('calls', () => {
  it('fills the names in, each as one segment', () => {
    expect(addressOf('shows/{show_id}/cues/{cue_id}/', { show_id: 'a/b', cue_id: '?' })).toBe(
      'shows/a%2Fb/cues/%3F/',
    )
  })

  it('writes a list in a query with commas', async () => {
    await signIn('alice', 'correct-horse')
    const fetched = vi.spyOn(globalThis, 'fetch')

    await getPages('broadcasts/', { query: { state: ['live', 'starting'] }, pages: 1 })

    const url = new URL(String(fetched.mock.calls[0]?.[0]))
    expect(url.searchParams.get('state')).toBe('live,starting')
    fetched.mockRestore()
  })
})

import type { Organization } from '@/api/schema'

import { IDS, PERMISSIONS } from './fake-server/world.mjs'

/** An organization as `me/` tells it to somebody of this role. */
export function membership(role: Organization['role'], id: string = IDS.organization): Organization {
  return { id, name: 'Galaxy', role, permissions: PERMISSIONS[role] }
}

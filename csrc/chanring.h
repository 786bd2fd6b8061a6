/*
** Channels inside of channels: items may have references to channels, and so
** these can keep one another when nobody else has them any more. Which items
** these are is guarded by one lock, inside of those of channels; none of these
** functions raises.
*/
#ifndef asy_chanring_h
#define asy_chanring_h

#include "channel.h"

/* The parcel has become the last item of the channel, or is no longer the
** first. */
void asy_chanring_put(asy_channel *ch, asy_parcel *p);
void asy_chanring_take(asy_channel *ch, asy_parcel *p);

/* Drops a reference, of which '*refs' are left. If nobody can reach the channel
** then, nor others that are in it, all that is in these comes before the list
** 'rest', which is returned: whoever frees it frees the channels. */
asy_parcel *asy_chanring_unref(asy_channel *ch, asy_parcel *rest, int *refs);

/* Empties the channel, which nobody has any more: its items come before the list
** 'rest', which is returned. */
asy_parcel *asy_chanring_empty(asy_channel *ch, asy_parcel *rest);

#endif

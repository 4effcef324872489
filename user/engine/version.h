/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VERSION_H
#define ENGINE_VERSION_H

#ifndef BAILIFF_VERSION
#define BAILIFF_VERSION "0.1.0"
#endif

#endif

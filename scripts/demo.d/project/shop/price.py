# SPDX-License-Identifier: Apache-2.0
"""Prices, in cents."""


def discounted(cents, percent):
    return cents * (100 - percent) // 100


def total(items, percent=0):
    return sum(discounted(cents * count, percent) for cents, count in items)

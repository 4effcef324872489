# SPDX-License-Identifier: Apache-2.0
import unittest

from shop.price import discounted, total


class Prices(unittest.TestCase):
    def test_no_discount(self):
        self.assertEqual(discounted(995, 0), 995)

    def test_half_a_cent_is_rounded_up(self):
        self.assertEqual(discounted(995, 50), 498)

    def test_total_of_several_items(self):
        self.assertEqual(total([(250, 2), (199, 1)]), 699)


if __name__ == "__main__":
    unittest.main()

"""The operations that a recipe is made of: what there is, its arguments, its one spelling.

Declarations only, so that the Preprocessor stays small: nothing here touches a pixel. What an
operation does is in `pixels`.
"""

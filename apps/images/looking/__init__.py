"""What a small copy of a picture tells: colours, hashes, what stands in for it, where faces are.

Pure arithmetic on arrays of samples, but for `faces`. How they are told is `reports`' business.
"""
